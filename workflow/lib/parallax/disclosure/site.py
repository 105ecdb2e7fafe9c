"""Every table of a site, disclosed: the one place that says which table passes through which control."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from parallax.disclosure.cohort import disclose_attrition, disclose_characteristics, disclose_measurement_counts
from parallax.disclosure.combined import disclose_combined, disclose_enrichment, disclose_subgroups, keep_horizons
from parallax.disclosure.curves import curve_grid, disclose_curves, disclose_hazard_course
from parallax.disclosure.designs import disclose_balance, disclose_calibration, disclose_overlap, disclose_positivity, disclose_score_histogram
from parallax.disclosure.validation import (
    disclose_agreement,
    disclose_coefficients,
    disclose_fidelity,
    disclose_interactions,
    disclose_measures,
    disclose_robustness,
)
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
#: of a generator, what its verdict collects
JUDGED = ("agreement", "fidelity", "privacy", "attribution")
#: exact tables that tell what others may not
TELLING = ((REAL, "characteristics"), (REAL, "concentration"), (REAL, "combined"))
#: the shown tables of a dataset that the control of others asks
_FIRST = ("characteristics", "combined", "subgroups", "curves")
#: never shown itself
_CONCENTRATION = "concentration"


def exact_tables(protocol: Protocol) -> list[tuple[str, str]]:
    """Every exact table of a site that its disclosure needs, by dataset and name."""
    enriched = (REAL, *protocol.enriching_generators) if protocol.enriching_generators else ()
    return [
        (dataset, table)
        for dataset in (REAL, *protocol.generators)
        for table in OF_ALL + ((*OF_REAL, _CONCENTRATION) if dataset == REAL else OF_GENERATOR)
        if (table != "enrichment" or dataset in enriched) and (table not in OF_MEASUREMENTS or protocol.cohort.measurements)
    ]


def disclose_site(exact: Mapping[tuple[str, str], pd.DataFrame], protocol: Protocol) -> dict[tuple[str, str], pd.DataFrame]:
    """The shown tables of a site by (dataset, table), from its exact ones; tables without a row are left out.

    A part of the tables will do, with those of ``TELLING``.
    """
    disclosure, primary = protocol.disclosure, protocol.question.primary
    grids = {name: curve_grid(outcome.horizons_days) for name, outcome in protocol.outcomes.survival.items()}
    kept = {dataset: keep_horizons(table, disclosure, primary=primary) for (dataset, name), table in exact.items() if name == "combined"}
    concentration = exact[REAL, _CONCENTRATION]
    shown: dict[tuple[str, str], pd.DataFrame] = {}

    def show(dataset: str, name: str, table: pd.DataFrame) -> pd.DataFrame:
        of_covariates = {"characteristics": shown.get((REAL, "characteristics"))}
        match name:
            case "attrition":
                return disclose_attrition(table, disclosure)
            case "characteristics":
                return disclose_characteristics(table, disclosure, concentration=concentration)
            case "measurement_counts":
                return disclose_measurement_counts(table, disclosure)
            case "balance":
                return disclose_balance(table, disclosure, **of_covariates)
            case "overlap":
                return disclose_overlap(table, disclosure)
            case "score_histogram":
                return disclose_score_histogram(table, disclosure)
            case "calibration":
                return disclose_calibration(table, disclosure)
            case "positivity":
                return disclose_positivity(table, disclosure, **of_covariates)
            case "curves":
                return disclose_curves(table, disclosure, grids=grids, horizons=kept[dataset])
            case "hazard_course":
                return disclose_hazard_course(table, disclosure, curves=shown[dataset, "curves"], grids=grids)
            case "combined":
                carried = concentration if dataset == REAL else None
                return disclose_combined(table, disclosure, concentration=carried, primary=primary, horizons=kept[dataset])
            case "subgroups":
                return disclose_subgroups(table, disclosure, whole=exact[dataset, "combined"], primary=primary)
            case "enrichment":
                return disclose_enrichment(table, disclosure, whole=exact[REAL, "combined"], primary=primary)
            case "interactions":
                return disclose_interactions(table, disclosure, subgroups=shown[dataset, "subgroups"])
            case "robustness":
                return disclose_robustness(table, disclosure, combined=shown[dataset, "combined"])
            case "agreement":
                return disclose_agreement(table, disclosure, real=shown[REAL, "combined"])
            case "fidelity":
                return disclose_fidelity(table, disclosure, characteristics=shown[REAL, "characteristics"])
            case "coefficients":
                return disclose_coefficients(table, disclosure, characteristics=shown[REAL, "characteristics"])
            case _:
                return disclose_measures(table, disclosure)

    for (dataset, name), table in sorted(exact.items(), key=lambda entry: entry[0][1] not in _FIRST):
        if len(table) and name != _CONCENTRATION:
            shown[dataset, name] = show(dataset, name, table)
    return {key: shown[key] for key in exact if key in shown}
