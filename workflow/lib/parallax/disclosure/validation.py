"""What validation measured as it may be shown: judged before, by exact numbers; rounded here, and withheld where it would tell a hidden count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.disclosure.cohort import tellable_columns
from parallax.disclosure.combined import SUPPRESSED, describe_suppression, is_target_in, suppressed_targets
from parallax.disclosure.counts import record_thresholds
from parallax.disclosure.numbers import round_measures
from parallax.protocol.disclosure import DisclosureSection
from parallax.vocabulary import MISSING_LEVEL

#: of a suppressed estimate these are still told: one equation for two unknowns, the estimate and its standard error
_TOLD: Final = frozenset(
    {
        "shift_in_real_se",
        "floor_shift_in_real_se",
        "shift_beyond_floor_in_real_se",
        "testable_here",
        "replicates_not_estimable",
        "decision_agreement",
        "estimate_agreement",
    }
)
#: distances of the distribution of one covariate, and the part of it that they measure
_OF_COVARIATES: Final[Mapping[str, str]] = {"marginal_tv": "levels", "marginal_ks": "", "missing_gap": MISSING_LEVEL}


def disclose_agreement(agreement: pd.DataFrame, disclosure: DisclosureSection, *, real: pd.DataFrame) -> pd.DataFrame:
    """Agreement, rounded. Of a target that the shown ``real`` estimates suppress, what would let it be solved for is withheld."""
    of_suppressed = is_target_in(agreement, suppressed_targets(real)).to_numpy()
    withheld = of_suppressed & ~agreement["metric"].isin(_TOLD).to_numpy()
    shown = round_measures(_withhold(agreement, withheld, disclosure), ["value", "lower", "upper", "threshold"])
    # a reason may tell that an arm has no event
    return record_thresholds(
        shown.assign(reason=shown["reason"].mask(of_suppressed & shown["value"].isna().to_numpy(), describe_suppression(disclosure))), disclosure
    )


def disclose_fidelity(fidelity: pd.DataFrame, disclosure: DisclosureSection, *, characteristics: pd.DataFrame) -> pd.DataFrame:
    """Fidelity, rounded. A distance of a share that the shown ``characteristics`` suppress is withheld: who has the synthetic patients would
    know the share. Of more than two levels a distance tells none of them.
    """
    told = tellable_columns(characteristics)
    levels = characteristics[characteristics["kind"] == "categorical"].groupby("covariate")["level"].agg(set)
    part_of = characteristics["level"].fillna("").where(characteristics["kind"] != "missing", MISSING_LEVEL)
    parts = set(zip(characteristics["covariate"], part_of, strict=True))

    def tells(metric: str, name: str) -> bool:
        part = _OF_COVARIATES.get(metric)
        if part is None:
            return False
        if part == "levels":
            found = levels.get(name, set())
            return len(found) == 2 and any((name, level) not in told for level in found)
        return (name, part) in parts - told

    withheld = np.array([tells(str(metric), str(name)) for metric, name in zip(fidelity["metric"], fidelity["variable"], strict=True)], dtype=bool)
    rounded = round_measures(_withhold(fidelity, withheld, disclosure), ["value", "lower", "upper", "threshold"], decimals=3)
    return record_thresholds(rounded, disclosure)


def disclose_coefficients(coefficients: pd.DataFrame, disclosure: DisclosureSection, *, characteristics: pd.DataFrame) -> pd.DataFrame:
    """Coefficients, rounded, without those of levels that the shown ``characteristics`` do not name or whose SMD they suppress."""
    terms = {name if level == "" else f"{name} {'missing' if level == MISSING_LEVEL else level}" for name, level in tellable_columns(characteristics)}
    shown = coefficients[coefficients["term"].isin(terms | {"treatment"})]
    return record_thresholds(round_measures(shown, ["real", "std_error", "synthetic", "gap", "band"]), disclosure)


def disclose_measures(table: pd.DataFrame, disclosure: DisclosureSection) -> pd.DataFrame:
    """Metrics of privacy and of attribution, rounded."""
    columns = [name for name in ("value", "lower", "upper", "threshold", "alone") if name in table]
    return record_thresholds(round_measures(table, columns), disclosure)


def disclose_interactions(interactions: pd.DataFrame, disclosure: DisclosureSection, *, subgroups: pd.DataFrame) -> pd.DataFrame:
    """Tests of interaction, rounded; withheld where the shown ``subgroups`` suppress the estimate of a level."""
    keys = ["subgroup", "design", "outcome", "contrast", "horizon_days", "rule"]
    hidden = subgroups.loc[subgroups["status"] == SUPPRESSED, keys].drop_duplicates()
    withheld = interactions[keys].merge(hidden.assign(hidden=True), on=keys, how="left")["hidden"].notna().to_numpy()
    return record_thresholds(round_measures(_withhold(interactions, withheld, disclosure), ["statistic", "df", "p_value"]), disclosure)


def disclose_robustness(robustness: pd.DataFrame, disclosure: DisclosureSection, *, combined: pd.DataFrame) -> pd.DataFrame:
    """E-values, calibrated and permuted estimates, rounded; withheld where the same dataset's shown estimates suppress theirs."""
    withheld = is_target_in(robustness, suppressed_targets(combined)).to_numpy()
    return record_thresholds(round_measures(_withhold(robustness, withheld, disclosure), ["value", "lower", "upper", "p_value"]), disclosure)


def _withhold(table: pd.DataFrame, rows: NDArray[np.bool_], disclosure: DisclosureSection) -> pd.DataFrame:
    numbers = {name: table[name].mask(rows) for name in ("value", "lower", "upper", "statistic", "df", "p_value") if name in table}
    return table.assign(**numbers, reason=table["reason"].mask(rows, describe_suppression(disclosure)))
