"""No honest answer is refused for its variance: weighted and censored arms of many kinds, estimated by the study's own kernels."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from parallax.errors import NotEstimable
from parallax.outcomes.averages import AVERAGE_CONTRASTS
from parallax.sites.plausibility import least_variance
from parallax.sites.site_results import Answer
from parallax.statistics.arm_means import weighted_means, weighted_rates
from parallax.statistics.arms import ArmPair
from parallax.statistics.cox import fit_cox
from parallax.statistics.intervals import normal_interval
from parallax.statistics.survival import restricted_means, risks
from site_tables import sound_results

HORIZON = 30.0
SOUND = sound_results()["answers"][0]
#: of an arm as it is shown: ten or more with the event, and for risks as many without
FEW = 10
COUNTS = ("n_treated", "n_comparator", "events_treated", "events_comparator")


def answer_of(contrast: str, estimate: float, error: float, counts: dict[str, float | None]) -> Answer:
    lower, upper = normal_interval(estimate, error)
    numbers = {"estimate": estimate, "variance": error**2, "lower": lower, "upper": upper, "p_value": None}
    return Answer.model_validate(SOUND | {"contrast": contrast} | numbers | counts)


def round_to_five(count: float) -> int:
    return int(5 * round(count / 5))


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 2**32 - 1),
    patients=st.sampled_from([100, 400, 2000]),
    hazards=st.tuples(*[st.floats(0.003, 0.15)] * 2),
    censoring=st.sampled_from([0.001, 0.02, 0.1]),
    spread=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_of_times(seed: int, patients: int, hazards: tuple[float, float], censoring: float, spread: float) -> None:
    """Exponential times and censoring, weights log-normal; risks up to 0.99, of which censoring leaves a part to be seen."""
    rng = np.random.default_rng(seed)
    treated = rng.random(patients) < 0.4
    died, lost = rng.exponential(1 / np.where(treated, *hazards)), rng.exponential(1 / censoring, patients)
    time, event, weight = np.minimum(died, lost), died <= lost, np.exp(spread * rng.normal(size=patients))
    seen, early = np.minimum(time, HORIZON), event & (time <= HORIZON)
    n, e = [int(arm.sum()) for arm in (treated, ~treated)], [int(early[arm].sum()) for arm in (treated, ~treated)]
    assume(min(e) >= FEW)
    told = [round_to_five(count) for count in (*n, *e)]
    fit = fit_cox(seen, early, treated.astype(float)[:, None], weights=weight)
    found = {"hazard_ratio": (float(fit.coefficients[0]), float(np.sqrt((fit.influence[:, 0] ** 2).sum())))}
    try:
        for contrast, pair in (
            ("rmst_difference", restricted_means(time, event, treated, HORIZON, weights=weight)),
            ("rmst_ratio", restricted_means(time, event, treated, HORIZON, weights=weight)),
            ("risk_difference", risks(time, event, treated, HORIZON, weights=weight)),
            ("risk_ratio", risks(time, event, treated, HORIZON, weights=weight)),
        ):
            difference = AVERAGE_CONTRASTS[contrast](pair)
            found[contrast] = (difference.estimate, difference.std_error)
    except NotEstimable:
        assume(False)
    for contrast, (estimate, error) in found.items():
        few = min(all_of - with_it for all_of, with_it in zip(n, e, strict=True)) < FEW
        if few and contrast.startswith("risk"):
            continue
        counts = dict(zip(COUNTS, told, strict=True)) | {"horizon_days": HORIZON} | (dict.fromkeys(COUNTS[2:]) if few else {})
        answer = answer_of(contrast, estimate, error, counts)
        assert error**2 >= (least_variance(answer) or 0.0), (contrast, n, e)


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 2**32 - 1),
    patients=st.sampled_from([100, 1000]),
    means=st.tuples(*[st.floats(0.15, 0.85)] * 2),
    spread=st.sampled_from([0.0, 1.0]),
)
def test_of_values(seed: int, patients: int, means: tuple[float, float], spread: float) -> None:
    """Whether something happened, and how often: binomial counts of ten, which scatter a good deal less than Poisson's."""
    rng = np.random.default_rng(seed)
    treated, weight = rng.random(patients) < 0.4, np.exp(spread * rng.normal(size=patients))
    value, count = rng.random(patients) < np.where(treated, *means), rng.binomial(10, np.minimum(np.where(treated, *means), 0.8))
    pairs: dict[str, tuple[ArmPair, np.ndarray]] = {
        name: (weighted_means(value.astype(float), treated, weights=weight), value) for name in ("risk_difference", "risk_ratio", "odds_ratio")
    }
    pairs["rate_ratio"] = (weighted_rates(count.astype(float), np.ones(patients), treated, weights=weight), count)
    for contrast, (pair, counted) in pairs.items():
        n, e = [int(arm.sum()) for arm in (treated, ~treated)], [int(counted[arm].sum()) for arm in (treated, ~treated)]
        if min(e) < FEW or (contrast != "rate_ratio" and min(np.subtract(n, e)) < FEW):
            continue
        difference = AVERAGE_CONTRASTS[contrast](pair)
        told = dict(zip(COUNTS, map(round_to_five, (*n, *e)), strict=True)) | {"horizon_days": None}
        least = least_variance(answer_of(contrast, difference.estimate, difference.std_error, told))
        assert least is not None
        assert difference.std_error**2 >= least, (contrast, n, e)
