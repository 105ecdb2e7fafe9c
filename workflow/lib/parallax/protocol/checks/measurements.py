"""Faults of repeated measurements: windows that reach beyond the index date, sites without a file, names that are taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from parallax.errors import Fault
from parallax.protocol.cohort import CohortSection
from parallax.protocol.data import DataSection, FileSource
from parallax.protocol.outcomes import OutcomesSection

_LATE = (
    "end the window at 0 or before: what is measured later is caused by the treatment and known of those only who are still followed "
    "(immortal time); it is an outcome, never a covariate"
)


def check_measurements(cohort: CohortSection, data: DataSection, outcomes: OutcomesSection) -> Iterator[Fault]:
    """Every contradiction between ``cohort.measurements`` and the sites' files, and every window that is no baseline."""
    for name, measurement in cohort.measurements.items():
        where, (first, last) = f"cohort.measurements.{name}", measurement.window_days
        shown = f"[{first:g}, {last:g}]"
        if last > 0:
            yield Fault(f"{where}.window_days", f"{shown}, which reaches beyond day 0, the index date", "days up to 0", _LATE)
        if first > last:
            yield Fault(f"{where}.window_days", f"{shown}, which ends before it begins", "the first day, then the last", "put them in order")
        if first == last and "slope" in measurement.summaries:
            yield Fault(f"{where}.summaries", f"slope, within a window of one time, {shown}", "several days", "widen it, or leave slope out")
        for statistic, times in Counter(measurement.summaries).items():
            if times > 1:
                yield Fault(f"{where}.summaries", f"{statistic} more than once", "every summary once", "remove the repetition")
    yield from _check_names(cohort, data, outcomes)
    yield from _check_files(cohort, data)


def _check_names(cohort: CohortSection, data: DataSection, outcomes: OutcomesSection) -> Iterator[Fault]:
    columns = [f"{name}_{statistic}" for name, entry in cohort.measurements.items() for statistic in dict.fromkeys(entry.summaries)]
    for column in dict.fromkeys(column for column in columns if columns.count(column) > 1):
        yield Fault("cohort.measurements", f'two summaries called "{column}"', "every column once", "rename one of the measurements")
    for column in dict.fromkeys(columns):
        for site, source in data.sites.items():
            if isinstance(source, FileSource) and column in source.columns:
                found = f'"{column}", which is a column of site "{site}" too'
                yield Fault("cohort.measurements", found, "summaries whose names no column has", "rename the measurement or the column")
        uses = {"cohort.arms.column": cohort.arms.column}
        uses |= {f"outcomes.{name}.{part}": used for name, outcome in outcomes.items() for part, used in outcome.columns.items()}
        for where, used in uses.items():
            if used == column:
                yield Fault(where, f'"{column}", which is measured before treatment', "a column of the source", "name another column")


def _check_files(cohort: CohortSection, data: DataSection) -> Iterator[Fault]:
    for site, source in data.sites.items():
        where = f"data.sites.{site}.measurements"
        file = source.measurements if isinstance(source, FileSource) else None
        if cohort.measurements and file is None:
            found = "no file, but cohort.measurements asks for summaries" if isinstance(source, FileSource) else f"a source of kind {source.source}"
            yield Fault(where, found, "at every site of kind file, the file of its measurements", "name it, or leave cohort.measurements out")
        if file is not None and not cohort.measurements:
            yield Fault(where, "a file that nothing uses", "a file where cohort.measurements asks for it", "add cohort.measurements, or remove it")
        if file is not None and source.patient_id is None:
            found = "null, but measurements belong to patients by their identifiers"
            yield Fault(f"data.sites.{site}.patient_id", found, "the column that identifies a patient", "name it")
