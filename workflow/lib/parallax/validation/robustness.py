"""How far an estimate can be trusted: E-values, calibration by negative controls, permuted treatment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from parallax.errors import NotEstimable
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.question import Hypothesis
from parallax.statistics.e_values import Scale, approximate_risk_ratio, e_values
from parallax.statistics.empirical_calibration import (
    Null,
    bound_null,
    calibrate_interval,
    calibrate_p,
    compare_nulls,
    expected_absolute_systematic_error,
    fit_null,
)
from parallax.tables import ROBUSTNESS
from parallax.validation.combining import TARGET, select_answers, target_of, to_analysis_scale
from parallax.vocabulary import DIAGNOSTIC_CONTRASTS, RATIO_CONTRASTS

#: an outcome is rare while fewer than this share of the patients have it (VanderWeele & Ding 2017, table 2)
_RARE: Final = 0.15
_SCALES: Final[Mapping[str, Scale]] = {
    "hazard_ratio": "hazard_ratio",
    "odds_ratio": "odds_ratio",
    "risk_ratio": "risk_ratio",
    "rate_ratio": "rate_ratio",
}


def assess_robustness(
    combined: pd.DataFrame, permutations: pd.DataFrame, *, primary: Hypothesis, outcomes: OutcomesSection, real: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The ROBUSTNESS table from a dataset's COMBINED one (its valid rule) and its PERMUTATIONS; of a generator also beside the ``real`` COMBINED.

    * ``e_value`` of every ratio: how strongly, on the scale of risk ratios, an unmeasured confounder would have to be associated with treatment
      and with outcome to explain the estimate away (``value``) and to move the interval's nearer bound to the null (``lower``). Hazard and odds
      ratios of a common outcome (15 % or more of the patients) are taken to the scale of risk ratios first.
    * where the protocol has negative controls, from their estimates under the same design, contrast and horizon (ratios only; log scale):
      ``systematic_error_mean`` and ``systematic_error_sd``, the error's distribution N(μ, σ²), with intervals; ``systematic_error``, its
      expected absolute value; ``calibrated``, the estimate with that error taken into account. A generator's controls are combined by its
      rule, as every estimate of it is: replicates carry the error as far as the generator learned it.
    * of a generator, over the controls that both sides estimate: ``added_error_mean`` (with its interval) and ``added_error_sd``, synthetic
      less real; ``calibrated_shift``, synthetic less real calibrated estimate in standard errors of the real one. They decide nothing.
    * ``permuted_estimate`` (mean, with the 2.5 and 97.5 % quantiles) and ``permuted_rejections`` (share of p < 0.05 with its 95 % interval) of
      the primary estimate under permuted treatment; ``p_value`` of the former is the permutation test's.
    """
    valid = select_answers(combined)
    valid = valid[~valid["contrast"].isin(DIAGNOSTIC_CONTRASTS)]
    controls = [name for name, outcome in outcomes.items() if outcome.negative_control]
    rows = [*_e_values(valid[~valid["outcome"].isin(controls)]), *_calibrated(valid, controls, real), *_permuted(valid, permutations, primary)]
    return ROBUSTNESS.validate(pd.DataFrame(rows, columns=list(ROBUSTNESS.columns)))


def _target(row: Mapping[Any, Any]) -> dict[str, object]:
    return {name: row[name] for name in TARGET}


def _e_values(valid: pd.DataFrame) -> Iterator[dict[str, object]]:
    for row in valid[(valid["status"] == "ok") & valid["contrast"].isin(list(_SCALES))].to_dict("records"):
        share = (row["events_treated"] + row["events_comparator"]) / (row["n_treated"] + row["n_comparator"])
        numbers = [approximate_risk_ratio(row[name], _SCALES[row["contrast"]], rare=bool(share < _RARE)) for name in ("estimate", "lower", "upper")]
        found = e_values(*numbers)
        yield _target(row) | {"measure": "e_value", "value": found.estimate, "lower": found.bound}


def _calibrated(valid: pd.DataFrame, controls: list[str], real: pd.DataFrame | None) -> Iterator[dict[str, object]]:
    if not controls:
        return
    ratios = valid[valid["contrast"].isin(RATIO_CONTRASTS) & (valid["status"] == "ok")]
    for row in ratios[~ratios["outcome"].isin(controls)].to_dict("records"):
        known = _of_controls(ratios, row, controls)
        try:
            null = fit_null(*known.T.to_numpy())
        except NotEstimable as error:
            yield _target(row) | {"measure": "calibrated", "reason": str(error)}
            continue
        bounds, told = bound_null(null, *known.T.to_numpy()), {"reason": f"over {len(known)} negative controls"}
        yield _target(row) | {"measure": "systematic_error_mean", "value": null.mean, "lower": bounds.mean[0], "upper": bounds.mean[1]} | told
        yield _target(row) | {"measure": "systematic_error_sd", "value": null.sd, "lower": bounds.sd[0], "upper": bounds.sd[1]} | told
        yield _target(row) | {"measure": "systematic_error", "value": expected_absolute_systematic_error(null)}
        yield _target(row) | {"measure": "calibrated"} | _calibrate(null, row)
        if real is not None:
            yield from _beside_real(row, null, known, real[real["status"] == "ok"], controls)


def _beside_real(row: Mapping[Any, Any], null: Null, known: pd.DataFrame, real: pd.DataFrame, controls: list[str]) -> Iterator[dict[str, object]]:
    """What a generator adds to the systematic error of the real patients, and where that leaves its calibrated estimate."""
    of_real = _of_controls(real, row, controls)
    shared = known.join(of_real, rsuffix="_real", how="inner")
    own = {target_of(answer): answer for answer in real.to_dict("records")}.get(target_of(row))
    try:
        added, null_of_real = compare_nulls(*shared.T.to_numpy()), fit_null(*of_real.T.to_numpy())
    except NotEstimable as error:
        yield _target(row) | {"measure": "added_error_mean", "reason": str(error)}
        return
    told = {"reason": f"over {len(shared)} negative controls"}
    yield _target(row) | {"measure": "added_error_mean", "value": added.mean, "lower": added.lower, "upper": added.upper} | told
    yield _target(row) | {"measure": "added_error_sd", "value": added.sd} | told
    if own is not None:
        ends = [
            calibrate_interval(side, float(np.log(answer["estimate"])), answer["std_error"]) for side, answer in ((null, row), (null_of_real, own))
        ]
        yield _target(row) | {"measure": "calibrated_shift", "value": (ends[0].estimate - ends[1].estimate) / ends[1].std_error}


def _of_controls(estimable: pd.DataFrame, row: Mapping[Any, Any], controls: list[str]) -> pd.DataFrame:
    """Log estimates and standard errors of the controls under the same design, contrast and horizon, by outcome."""
    asked = target_of(dict(row) | {"outcome": None})
    same = [target_of(answer | {"outcome": None}) == asked for answer in estimable.to_dict("records")]
    found = estimable[np.array(same, dtype=bool) & estimable["outcome"].isin(controls).to_numpy()].set_index("outcome")
    return pd.DataFrame({"estimate": np.log(found["estimate"].astype(np.float64)), "std_error": found["std_error"].astype(np.float64)})


def _calibrate(null: Null, row: Mapping[Any, Any]) -> dict[str, object]:
    log_estimate, std_error = float(np.log(row["estimate"])), float(row["std_error"])
    found = calibrate_interval(null, log_estimate, std_error)
    value, lower, upper = (float(np.exp(number)) for number in (found.estimate, found.lower, found.upper))
    return {"value": value, "lower": lower, "upper": upper, "p_value": calibrate_p(null, log_estimate, std_error)}


def _permuted(valid: pd.DataFrame, permutations: pd.DataFrame, primary: Hypothesis) -> Iterator[dict[str, object]]:
    if not len(permutations):
        return
    horizon = np.nan if primary.horizon_days is None else primary.horizon_days
    target = {"design": primary.design, "outcome": primary.outcome, "contrast": primary.contrast, "horizon_days": horizon}
    known = permutations.dropna(subset=["estimate", "std_error"])
    if not len(known):
        yield target | {"measure": "permuted_estimate", "reason": "no permutation could be estimated"}
        return
    null = to_analysis_scale(known["estimate"], primary.contrast)
    back = np.exp if primary.contrast in RATIO_CONTRASTS else np.asarray
    mean, lower, upper = (float(back(number)) for number in (null.mean(), *np.quantile(null, [0.025, 0.975])))
    at = valid["horizon_days"].isna() if primary.horizon_days is None else valid["horizon_days"] == primary.horizon_days
    found = valid[(valid["design"] == primary.design) & (valid["outcome"] == primary.outcome) & (valid["contrast"] == primary.contrast) & at]
    p_value = np.nan
    if len(found) and found["status"].iloc[0] == "ok":
        real = abs(float(to_analysis_scale(found["estimate"], primary.contrast)[0]) / float(found["std_error"].iloc[0]))
        p_value = (1 + int((np.abs(null / known["std_error"].to_numpy()) >= real).sum())) / (1 + len(known))
    yield target | {"measure": "permuted_estimate", "value": mean, "lower": lower, "upper": upper, "p_value": p_value}
    share, size = float((known["p_value"] < 0.05).mean()), len(known)
    centre, half = (share + 1.92 / size) / (1 + 3.84 / size), 1.96 * np.sqrt(share * (1 - share) / size + 0.96 / size**2) / (1 + 3.84 / size)
    yield target | {"measure": "permuted_rejections", "value": share, "lower": max(centre - half, 0.0), "upper": min(centre + half, 1.0)}
