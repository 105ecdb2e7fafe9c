"""A site's own columns onto the study's: renamed, recoded, in another unit, constant, or derived."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pandas as pd

from parallax.errors import Fault, ProtocolError, SourceError, did_you_mean
from parallax.expressions import columns as columns_of
from parallax.expressions import derive
from parallax.protocol.data import MappedColumn
from parallax.tables import category_text


def map_columns(frame: pd.DataFrame, mapping: Mapping[str, MappedColumn], *, where: str) -> pd.DataFrame:
    """The site's table with the mapped columns; those of a column that is renamed or replaced are gone, all others keep their names.

    ``frame`` is a normalised table, ``where`` the mapping's place in the protocol; what a mapped column is made of must be there. Raises
    ``SourceError`` where a value has no level, or text cannot be multiplied, and ``ProtocolError`` for an expression; neither tells a value.
    """
    made = {name: _make(frame, mapped, f"{where}.{name}") for name, mapped in mapping.items()}
    renamed = {mapped.column for mapped in mapping.values() if mapped.column is not None}
    kept = [name for name in frame.columns if name not in mapping and name not in renamed]
    return pd.DataFrame({name: frame[name] for name in kept} | made, index=frame.index)


def columns_behind(wanted: Iterable[str], mapping: Mapping[str, MappedColumn], *, where: str) -> set[str]:
    """The site's own columns that these columns of the study are made of. Raises ``ProtocolError`` for an expression that cannot be read."""
    behind: set[str] = set()
    for name in wanted:
        mapped = mapping.get(name)
        if mapped is None:
            behind.add(name)
        elif mapped.expression is not None:
            behind |= set(columns_of(mapped.expression, where=f"{where}.{name}.expression"))
        elif mapped.column is not None:
            behind.add(mapped.column)
    return behind


def check_mapping(mapping: Mapping[str, MappedColumn], known: Iterable[str], *, where: str) -> Iterator[Fault]:
    """A fault for every mapped column that is made of a column that the site does not have."""
    names = list(known)
    for name, mapped in mapping.items():
        if mapped.column is not None and mapped.column not in names:
            remedy = did_you_mean(mapped.column, names, otherwise="name a column of the site")
            yield Fault(f"{where}.{name}.column", f'"{mapped.column}", which the site does not have', "a column of the site's own", remedy)
        if mapped.expression is not None:
            try:
                columns_of(mapped.expression, where=f"{where}.{name}.expression", known=names)
            except ProtocolError as error:
                yield from error.faults


def _make(frame: pd.DataFrame, mapped: MappedColumn, where: str) -> pd.Series:
    if mapped.constant is not None:
        return pd.Series(mapped.constant, index=frame.index, dtype="string" if isinstance(mapped.constant, str) else "float64")
    if mapped.expression is not None:
        return derive(frame, mapped.expression, where=f"{where}.expression")
    values = frame[str(mapped.column)]
    if mapped.levels:
        text = category_text(values)
        if unnamed := int((~text.isin(list(mapped.levels)) & text.notna()).sum()):
            raise SourceError(
                f'{where}.levels: column "{mapped.column}" holds another level than {", ".join(mapped.levels)} '
                f"for {unnamed} patient{'s' * (unnamed > 1)}; name every level, or exclude these patients in the source"
            )
        return text.map(mapped.levels).astype("string")
    if mapped.factor is not None:
        if values.dtype.kind not in "iuf":
            raise SourceError(f'{where}.factor: column "{mapped.column}" holds no numbers; remove the factor, or name another column')
        return pd.Series(values.to_numpy("float64", na_value=float("nan")) * mapped.factor, index=frame.index)
    return values
