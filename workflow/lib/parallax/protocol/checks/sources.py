"""Faults of sources as they are declared: mappings, columns, paths, and what each site accepts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Literal

from parallax.errors import Fault
from parallax.protocol.checks.faults import unknown
from parallax.protocol.cohort import CohortSection
from parallax.protocol.data import DataSection, FileColumn, FileSource, ReleaseSource
from parallax.protocol.outcomes import OutcomesSection

Kind = Literal["number", "boolean", "text", "date"]


def check_mapping(data: DataSection) -> Iterator[Fault]:
    """A mapped column is made of one thing."""
    for site, source in data.sites.items():
        for name, mapped in source.mapping.items():
            where = f"data.sites.{site}.mapping.{name}"
            made = [key for key in ("column", "expression", "constant") if getattr(mapped, key) is not None]
            if len(made) != 1:
                found = f"{' and '.join(made)} together" if made else "nothing that it is made of"
                yield Fault(where, found, "one of column, expression and constant", "keep one of them" if made else "add one of them")
            shaped = [key for key in ("levels", "factor") if getattr(mapped, key)]
            if len(shaped) > 1 or (shaped and mapped.column is None):
                found = f"{' and '.join(shaped)} without a column" if mapped.column is None else "levels and a factor together"
                yield Fault(where, found, "levels or a factor, of a column", "write an expression instead, or remove one of them")


def check_external_controls(data: DataSection, cohort: CohortSection) -> Iterator[Fault]:
    """Released comparators stand beside a site with real treated patients."""
    for name in data.external_controls:
        where = f"data.external_controls.{name}"
        if name not in data.sites:
            yield unknown(where, name, data.sites, "site")
        elif isinstance(data.sites[name], ReleaseSource):
            found = "a site whose own patients come from a release"
            yield Fault(where, found, "a site with real treated patients", "remove it, or name the site's real source")
    if data.external_controls and cohort.measurements:
        yield Fault("data.external_controls", "repeated measurements as well", "one of the two", "remove it, or leave cohort.measurements out")


def check_rare_levels(data: DataSection, cohort: CohortSection) -> Iterator[Fault]:
    """Levels are accepted of categorical covariates of a site."""
    known = cohort.covariates.categorical
    for site, names in data.rare_levels.items():
        where = f"data.rare_levels.{site}"
        if site not in data.sites:
            yield unknown(where, site, data.sites, "site")
        yield from (unknown(where, name, known, "categorical covariate") for name in names if name not in known)


def check_declared_columns(cohort: CohortSection, outcomes: OutcomesSection, data: DataSection) -> Iterator[Fault]:
    """Declared columns have the kinds, bounds and arm levels that cohort and outcomes need."""
    for site, source in data.sites.items():
        if isinstance(source, FileSource):
            yield from check_columns(cohort, outcomes, site, data, _declared_kinds(source))
            for name, column in source.columns.items():
                yield from _check_file_column(f"data.sites.{site}.columns.{name}", column)
            levels = _declared_levels(source, cohort.arms.column)
            for arm in ("treated", "comparator"):
                level = str(getattr(cohort.arms, arm))
                if levels is not None and level not in levels:
                    yield unknown(f"cohort.arms.{arm}", level, levels, f'level of column "{cohort.arms.column}" at site "{site}"')


def _declared_kinds(source: FileSource) -> dict[str, Kind | None]:
    """The kinds of a file's columns after its mapping, as far as they are known before the file is read."""
    own = {name: declared_kind(column) for name, column in source.columns.items()}
    renamed = {mapped.column for mapped in source.mapping.values()}
    kinds: dict[str, Kind | None] = {name: kind for name, kind in own.items() if name not in renamed}
    for name, mapped in source.mapping.items():
        of_column = "text" if mapped.levels else own.get(str(mapped.column))
        kinds[name] = ("text" if isinstance(mapped.constant, str) else "number") if mapped.constant is not None else of_column
    return kinds


def _declared_levels(source: FileSource, column: str) -> Collection[str] | None:
    """The levels that a column can hold after the mapping; None where that is not declared."""
    mapped = source.mapping.get(column)
    if mapped is not None and (mapped.levels or mapped.column is None):
        return tuple(mapped.levels.values()) or None
    own = source.columns.get(column if mapped is None else str(mapped.column))
    return None if own is None else own.levels


def check_paths(data: DataSection) -> Iterator[Fault]:
    """An address may carry a password, and a protocol stands in report, register and manifest: it is refused, and not repeated."""
    for site, source in data.sites.items():
        if isinstance(source, FileSource) and "://" in source.path:
            yield Fault(
                f"data.sites.{site}.path",
                "an address (…://…), withheld here: it may hold a password",
                "the path of a .csv or .parquet file",
                "fetch the file first, and keep addresses and passwords out of the protocol",
            )


def _check_file_column(where: str, column: FileColumn) -> Iterator[Fault]:
    if column.levels is not None and column.type != "text":
        yield Fault(
            f"{where}.levels", f"levels of a column of type {column.type}", "levels for text only", "remove them, or declare the column as text"
        )
    if (column.minimum is not None or column.maximum is not None) and column.type not in ("integer", "number"):
        yield Fault(where, f"bounds of a column of type {column.type}", "minimum and maximum for integer and number only", "remove them")
    if column.minimum is not None and column.maximum is not None and column.minimum > column.maximum:
        yield Fault(f"{where}.minimum", f"{column.minimum:g}, above the maximum", f"at most {column.maximum:g}", "correct one of the two")


def declared_kind(column: FileColumn) -> Kind:
    """The kind of a declared column; whole numbers are numbers."""
    return "number" if column.type == "integer" else column.type


def check_columns(
    cohort: CohortSection, outcomes: OutcomesSection, site: str, data: DataSection, kinds: Mapping[str, Kind | None]
) -> Iterator[Fault]:
    """A site has the columns that cohort and outcomes name, numbers where they need numbers."""
    patient_id = data.sites[site].patient_id
    uses = [("cohort.arms.column", cohort.arms.column, False)]
    uses += [("cohort.covariates.numeric", name, True) for name in cohort.covariates.numeric]
    uses += [("cohort.covariates.categorical", name, False) for name in cohort.covariates.categorical]
    uses += [(f"outcomes.{name}.{part}", column, True) for name, outcome in outcomes.items() for part, column in outcome.columns.items()]
    uses += [(f"data.sites.{site}.patient_id", patient_id, False)] if patient_id is not None else []
    kinds = {**kinds, **dict.fromkeys(cohort.summaries, "number")}
    for where, name, numeric in uses:
        if name not in kinds:
            fault = unknown(where, name, kinds, f'column of site "{site}"')
            if len(data.sites) > 1 and where.startswith("cohort.covariates"):
                choices = f"make it under data.sites.{site}.mapping, drop it from cohort.covariates for every site, or drop the site"
                fault = replace(fault, allowed="covariates that every site has", remedy=choices)
            yield fault
        elif numeric and kinds[name] not in ("number", "boolean", None):
            remedy = "list it under categorical" if where == "cohort.covariates.numeric" else "name another column"
            yield Fault(where, f'"{name}", which holds {kinds[name]} at site "{site}"', "a column of numbers", remedy)
