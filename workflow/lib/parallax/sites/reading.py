"""Site results from elsewhere: read, verified, and refused with every fault that can be found in them.

A file is checked against its signature, its schema, the protocol of this study and the disclosure rules that all sites share. What it says is
still only as true as the institution that signed it: numbers made up within what is possible cannot be told from measured ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd
from pydantic import ValidationError

from parallax.errors import Fault, ProtocolError, SigningError
from parallax.protocol.checks.sites import SourceFacts, check_follow_up
from parallax.protocol.outcomes import asked_of
from parallax.protocol.pooling import SiteResultsFile
from parallax.protocol.protocol import Protocol, digest_of
from parallax.signing import verify_file
from parallax.sites.plausibility import least_variance
from parallax.sites.same_study import MOST, describe_study, list_differences, printable
from parallax.sites.site_results import Answer, Balance, Overlap, SiteResults
from parallax.statistics.preferred_numbers import nearest_step
from parallax.validation.combining import target_of, to_analysis_scale
from parallax.validation.rules import COMBINING_RULES
from parallax.vocabulary import REAL

LARGEST_BYTES: Final = 20_000_000
#: in standard errors, within which two sites' numbers are the same: what is shown is in a file to a thousandth
TOLERANCE: Final = 2e-3
_NOBODY: Final[Mapping[str, SourceFacts]] = MappingProxyType({})
_AGAIN: Final = "have the institution run snakemake site_results again and send the file as it was written"


def read_site_results(protocol: Protocol, *, folder: Path, here: Mapping[str, SourceFacts] = _NOBODY) -> dict[str, SiteResults]:
    """Every file of ``pooling.site_results`` by the site's name; paths are relative to ``folder``, the protocol's.

    ``here`` is what the sources of this protocol's own sites hold: with it their follow-up is compared with that told elsewhere.
    Raises ``ProtocolError`` with the faults of all files: unreadable, altered or signed by another, of another study, with impossible numbers
    or cells below the minimum, copies of each other, or in a unit that cannot be days.
    """
    found: dict[str, SiteResults] = {}
    faults: list[Fault] = []
    for name, entry in protocol.pooling.site_results.items():
        try:
            found[name] = _read_one(name, entry, protocol, folder)
        except ProtocolError as error:
            faults += error.faults
    faults += find_copies({name: results.combined(REAL) for name, results in found.items()})
    medians = {("data.sites", site): facts.median_follow_up for site, facts in here.items()}
    faults += check_follow_up(protocol, medians | {("pooling.site_results", name): results.median_follow_up for name, results in found.items()})
    if faults:
        raise ProtocolError(faults, source="the site results from elsewhere")
    return found


def find_copies(answers: Mapping[str, pd.DataFrame]) -> list[Fault]:
    """Two sites whose real patients (COMBINED by site) give the same answers with the same errors: the same patients, counted twice.

    ``answers`` are as shown. Assumption: two different cohorts never agree in every estimate, its bounds, standard error and counts as shown.
    Patients that two sites share in part cannot be seen in aggregates.
    """
    numbers = {site: {target_of(row): _as_shown(row) for row in table.to_dict("records") if row["status"] == "ok"} for site, table in answers.items()}
    faults = []
    for site, other in combinations(numbers, 2):
        both = [(numbers[site][target], numbers[other][target]) for target in numbers[site] if target in numbers[other]]
        if both and all(np.allclose(here, there, rtol=0.0, atol=TOLERANCE * here[0], equal_nan=True) for here, there in both):
            found = f"the same answers as at {site}, in all {len(both)} estimates"
            faults.append(Fault(f"site {other}", found, "patients of its own at every site", "remove one of the two: the same patients count once"))
    return faults


def _as_shown(row: Mapping[Any, Any]) -> list[float]:
    """Standard error, estimate and bounds on the analysis scale, and counts; NaN for a suppressed one."""
    scaled = to_analysis_scale([row[name] for name in ("estimate", "lower", "upper")], row["contrast"])
    counts = (row[name] for name in ("n_treated", "n_comparator", "events_treated", "events_comparator"))
    return [float(row["std_error"]), *map(float, scaled), *(float("nan") if pd.isna(count) else float(count) for count in counts)]


def _read_one(name: str, entry: SiteResultsFile, protocol: Protocol, folder: Path) -> SiteResults:
    where, path = f"pooling.site_results.{name}", folder / Path(entry.path).expanduser()
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise _refused(where, f"{path.name}: a file of more than {LARGEST_BYTES // 1_000_000} MB", "site results, which are small")
        key = entry.public_key
        text = path.read_bytes() if key is None else verify_file(path, public_key=folder / Path(key).expanduser())
    except OSError as error:
        fault = Fault(where, f"{path.name}: a file that cannot be read ({error.strerror})", "a file of site results", "correct the path")
        raise ProtocolError([fault]) from None
    except SigningError as error:
        found = str(error).replace("\n", f"\n{' ' * 11}")
        raise _refused(where, found, "a file as the owner of the public key signed it") from None
    try:
        results = SiteResults.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise ProtocolError(list(_faults_of(error, where, path.name))) from None
    faults = list(_faults_of_study(results, protocol, where)) or list(_faults_of_content(name, results, protocol, where))
    if faults:
        raise ProtocolError(faults)
    return results


def _refused(where: str, found: str, allowed: str) -> ProtocolError:
    return ProtocolError([Fault(where, found, allowed, _AGAIN)])


def _faults_of(error: ValidationError, where: str, file: str) -> Iterator[Fault]:
    """What is not as the schema has it; texts in the file are not repeated, a stranger wrote them."""
    details = error.errors(include_url=False, include_context=False)
    # a list that lost its only entry to a fault of that entry has no fault of its own
    places = {detail["loc"][:size] for detail in details for size in range(len(detail["loc"]))}
    for detail in islice((detail for detail in details if detail["loc"] not in places), MOST):
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{printable(step, 40)}" for step in detail["loc"]).lstrip(".")
        value = detail["input"]
        told = isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**300)
        shown = f"{value:g}" if told else type(value).__name__
        said = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "value_error":
            yield Fault(f"{where}: {place}", said, "numbers that can be true together", _AGAIN)
        else:
            yield Fault(f"{where}: {place or file}", shown if place else "no site results", said, _AGAIN)


def _faults_of_study(results: SiteResults, protocol: Protocol, where: str) -> Iterator[Fault]:
    if digest_of(results.protocol) != results.study_digest:
        yield Fault(f"{where}: study_digest", "another digest than that of the protocol in the file", "a file as it was written", _AGAIN)
        return
    if results.study_digest != protocol.study_digest:
        yield Fault(
            f"{where}: protocol",
            f"another study: it differs in {list_differences(protocol, results.protocol) or 'the order of its keys'}",
            f"the protocol of this study, {describe_study(protocol)}",
            f"agree on one protocol, and have both run it (the file was written by Parallax {printable(results.parallax, 40)})",
        )


def _faults_of_content(name: str, results: SiteResults, protocol: Protocol, where: str) -> Iterator[Fault]:
    """What a file of this very study cannot say."""
    if results.site != name:
        yield Fault(f"{where}: site", f'the results of "{results.site}"', f'those of "{name}"', "correct the name, or the path")
    seen: set[tuple[Any, ...]] = set()
    for number, answer in enumerate(results.answers):
        place = f"{where}: answers[{number}]"
        yield from _faults_of_answer(place, answer, protocol)
        if answer.target in seen:
            yield Fault(place, "the same answer a second time", "every answer once", _AGAIN)
        seen.add(answer.target)
    primary = protocol.question.primary
    if (REAL, primary.design, primary.outcome, primary.contrast, primary.horizon_days) not in seen:
        yield Fault(f"{where}: answers", "no primary answer of the real patients", "one, were it not estimable", _AGAIN)
    yield from _faults_of_counts(results, protocol, where)
    yield from _faults_of_follow_up(results, protocol, where)
    of_designs: tuple[Balance | Overlap, ...] = (*results.balance, *results.overlap)
    known = (
        {row.covariate for row in results.characteristics} | {row.covariate for row in results.balance} <= set(protocol.cohort.covariates.names)
        and {*results.verdicts, *(row.dataset for row in of_designs)} <= {REAL, *protocol.generators}
        and all(row.design in protocol.designs for row in of_designs)
    )
    if not known:
        yield Fault(where, "a covariate, a design or a generator that the protocol does not have", "those of the protocol", _AGAIN)


def _faults_of_answer(place: str, answer: Answer, protocol: Protocol) -> Iterator[Fault]:
    asked = answer.outcome in protocol.outcomes and (answer.contrast, answer.horizon_days) in asked_of(protocol.outcomes[answer.outcome])
    if not asked or answer.design not in protocol.designs or answer.dataset not in (REAL, *protocol.generators):
        yield Fault(place, "an answer that the protocol does not ask for", "its datasets, designs, outcomes, contrasts and horizons", _AGAIN)
    if answer.rule not in (["none"] if answer.dataset == REAL else COMBINING_RULES):
        yield Fault(f"{place}.rule", answer.rule, "none for the real patients, and a combining rule for synthetic ones", _AGAIN)
    survival = protocol.outcomes.survival.get(answer.outcome)
    multiple = 1.0 if answer.dataset == REAL else protocol.synthesis.patients
    least = least_variance(answer, competing=survival is not None and bool(survival.competing), multiple=multiple)
    if answer.variance is not None and least is not None and answer.variance < least:
        hidden = "up to " * any(events is None for _, events in answer.arms)
        counts = f"{hidden}{sum(patients if events is None else events for patients, events in answer.arms)} events"
        allowed = f"{least:.2g} or more, a small part of what such counts give"
        yield Fault(f"{place}.variance", f"{answer.variance:g}, with {counts}", allowed, _AGAIN)


def _faults_of_follow_up(results: SiteResults, protocol: Protocol, where: str) -> Iterator[Fault]:
    told, outcomes = [row.outcome for row in results.follow_up], protocol.outcomes.survival
    if sorted(told) != sorted(outcomes):
        yield Fault(f"{where}: follow_up", "other outcomes than the protocol's", "every survival outcome once", _AGAIN)
        return
    for number, row in enumerate(results.follow_up):
        place = f"{where}: follow_up[{number}].median_days"
        if row.median_days is not None and row.median_days != nearest_step(row.median_days):
            yield Fault(place, "a number that was not disclosure-controlled", "null, or one of ten steps to a factor of ten", _AGAIN)
        elif row.median_days is not None and row.median_days > (nearest_step(outcomes[row.outcome].follow_up_days) or 0.0):
            yield Fault(place, f"{row.median_days:g} days", f"no more than the follow-up of {outcomes[row.outcome].follow_up_days:g}", _AGAIN)


def _faults_of_counts(results: SiteResults, protocol: Protocol, where: str) -> Iterator[Fault]:
    """Cells below the minimum, or not rounded, would tell of patients what the study promised not to; so would a complement that is small."""
    least, step = protocol.disclosure.minimum_count, protocol.disclosure.round_to
    tables = {"answers": results.answers, "characteristics": results.characteristics, "overlap": results.overlap}
    counted = ("n_treated", "n_comparator", "events_treated", "events_comparator", "n", "count", "ess_treated", "ess_comparator")
    for table, rows in tables.items():
        for number, row in enumerate(rows):
            for name in counted:
                count = getattr(row, name, None)
                if count is not None and (count < least or count % step):
                    allowed = f"null, or a multiple of {step} from {least} on"
                    yield Fault(f"{where}: {table}[{number}].{name}", "a count that was not disclosure-controlled", allowed, _AGAIN)
    for number, answer in enumerate(results.answers):
        if answer.contrast != "rate_ratio" and any(events is not None and patients - events < least - step for patients, events in answer.arms):
            found = "events that leave fewer patients without one than may be shown"
            yield Fault(f"{where}: answers[{number}]", found, f"null, or {least} patients without an event", _AGAIN)
