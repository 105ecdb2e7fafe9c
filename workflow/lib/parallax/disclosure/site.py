"""Every table of a site, disclosed: the one place that says which table passes through which control."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from parallax.disclosure.cohort import disclose_attrition, disclose_characteristics, disclose_measurement_counts
from parallax.disclosure.combined import disclose_combined, disclose_enrichment, disclose_subgroups
from parallax.disclosure.curves import curve_grid, disclose_curves, disclose_hazard_course
from parallax.disclosure.designs import disclose_balance, disclose_calibration, disclose_overlap, disclose_positivity, disclose_score_histogram
from parallax.protocol.protocol import Protocol
from parallax.vocabulary import REAL

#: the exact tables that pass through here: of every dataset, of the real one, and of a generator
OF_ALL = (
    "balance",
    "overlap",
    "score_histogram",
    "calibration",
    "positivity",
    "curves",
    "hazard_course",
    "combined",
    "subgroups",
    "interactions",
    "robustness",
    "enrichment",
)
OF_REAL = ("attrition", "characteristics", "measurement_counts")
OF_GENERATOR = ("agreement", "fidelity", "coefficients", "privacy", "attribution", "series_fidelity")
#: tables that only a study with repeated measurements has
OF_MEASUREMENTS = ("measurement_counts", "series_fidelity")
#: tables that hold shares and differences, no counts: shown as they are
UNCHANGED = ("agreement", "fidelity", "coefficients", "privacy", "attribution", "interactions", "robustness", "series_fidelity")


def exact_tables(protocol: Protocol) -> list[tuple[str, str]]:
    """Every exact table of a site that passes through here, by dataset and name."""
    enriched = (REAL, *protocol.enriching_generators) if protocol.enriching_generators else ()
    return [
        (dataset, table)
        for dataset in (REAL, *protocol.generators)
        for table in OF_ALL + (OF_REAL if dataset == REAL else OF_GENERATOR)
        if (table != "enrichment" or dataset in enriched) and (table not in OF_MEASUREMENTS or protocol.cohort.measurements)
    ]


def disclose_site(exact: Mapping[tuple[str, str], pd.DataFrame], protocol: Protocol) -> dict[tuple[str, str], pd.DataFrame]:
    """The shown tables of a site by (dataset, table), from its exact ones; tables without a row are left out."""
    disclosure = protocol.disclosure
    grids = {name: curve_grid(outcome.horizons_days) for name, outcome in protocol.outcomes.survival.items()}
    characteristics = disclose_characteristics(exact[REAL, "characteristics"], disclosure)
    controls = {
        "attrition": lambda table: disclose_attrition(table, disclosure),
        "characteristics": lambda _: characteristics,
        "measurement_counts": lambda table: disclose_measurement_counts(table, disclosure),
        "balance": lambda table: disclose_balance(table, disclosure, characteristics=characteristics),
        "overlap": lambda table: disclose_overlap(table, disclosure),
        "score_histogram": lambda table: disclose_score_histogram(table, disclosure),
        "calibration": lambda table: disclose_calibration(table, disclosure),
        "positivity": lambda table: disclose_positivity(table, disclosure),
        "curves": lambda table: disclose_curves(table, disclosure, grids=grids),
        "combined": lambda table: disclose_combined(table, disclosure),
        "subgroups": lambda table: disclose_subgroups(table, disclosure),
        "enrichment": lambda table: disclose_enrichment(table, disclosure, whole=exact[REAL, "combined"]),
    } | dict.fromkeys(UNCHANGED, lambda table: table)
    shown = {key: controls[key[1]](table) for key, table in exact.items() if len(table) and key[1] != "hazard_course"}
    return shown | {
        (dataset, name): disclose_hazard_course(table, disclosure, curves=shown[dataset, "curves"], grids=grids)
        for (dataset, name), table in exact.items()
        if name == "hazard_course" and len(table)
    }
