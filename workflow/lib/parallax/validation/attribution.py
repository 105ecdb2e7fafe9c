"""Attribution: which of a generator's mechanisms carries the shift of the primary estimate.

A mechanism is broken where putting it, alone or with others, among the real ones moves the study's answer. Works for any generator, since
its mechanisms are fitted to its synthetic patients as the real ones are to the real patients.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from parallax.analysis.asked import ask_only
from parallax.analysis.designs import apply_designs
from parallax.analysis.effects import estimate_effects
from parallax.errors import GenerationError, NotEstimable
from parallax.protocol.cohort import Covariates
from parallax.protocol.designs import DesignsSection
from parallax.protocol.outcomes import OutcomesSection, SurvivalOutcome
from parallax.protocol.propensity import PropensitySection
from parallax.protocol.question import PrimaryEstimate
from parallax.synthesis.generator import Context
from parallax.synthesis.mechanisms import MechanismFitter, Mixer
from parallax.tables import ATTRIBUTION
from parallax.validation.combining import target_of, to_analysis_scale
from parallax.validation.floor import for_estimates_only
from parallax.vocabulary import MECHANISMS, Mechanism

#: the mechanisms that come from the synthetic cohort
Swapped = frozenset[str]

_SHIFT: Final = "shift_in_real_se"
_C: Final = "propensity_c"
_OWN: Final = "own"
_REAL: Final = "real"
_SYNTHETIC: Final = "synthetic"


@dataclass(frozen=True, slots=True)
class Share:
    """What one mechanism carries: averaged over all orders of swapping (``shapley``), and swapped ``alone`` into the real ones."""

    shapley: float
    alone: float


def shapley(worth: Mapping[Swapped, float], mechanisms: Sequence[str]) -> dict[str, Share]:
    """Shapley's division of worth(all) − worth(none) among the mechanisms.

    Formula
        φ_i = Σ_{S ∌ i} |S|! (p − 1 − |S|)! / p! · {worth(S ∪ i) − worth(S)} (Shapley 1953, eq. 13); the φ_i sum to worth(all) − worth(none).
    Shapes
        ``worth`` has all 2^p subsets of the p mechanisms.
    """
    p = len(mechanisms)
    found = {}
    for mechanism in mechanisms:
        others = [other for other in mechanisms if other != mechanism]
        share = 0.0
        for size in range(p):
            weight = math.factorial(size) * math.factorial(p - 1 - size) / math.factorial(p)
            share += weight * sum(worth[frozenset({*chosen, mechanism})] - worth[frozenset(chosen)] for chosen in combinations(others, size))
        found[mechanism] = Share(share, worth[frozenset({mechanism})] - worth[frozenset()])
    return found


@dataclass(frozen=True, slots=True)
class _Answer:
    """The primary estimate on the analysis scale and the score's c-statistic of one cohort; NaN where there is none, with the reason."""

    estimate: float
    c_statistic: float
    reason: str


def attribute_shift(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    real_estimates: pd.DataFrame,
    estimates: pd.DataFrame,
    primary: PrimaryEstimate,
    covariates: Covariates,
    designs: DesignsSection,
    propensity: PropensitySection,
    outcomes: OutcomesSection,
    seeds: Sequence[int],
) -> pd.DataFrame:
    """The ATTRIBUTION table of a generator.

    For every replicate its mechanisms are fitted to it, those of the real patients to them (:mod:`parallax.synthesis.mechanisms`); cohorts of
    every mixture of the two are drawn from common random numbers (``seeds``, one for each replicate) and run through the primary design.
    With θ(S) the primary estimate where the mechanisms S are synthetic, (θ(S) − θ(∅))/√V is divided among the mechanisms by
    :func:`shapley`, and so is the score's c-statistic. ``value`` is the mean over replicates, ``lower`` and ``upper`` its 95 % t interval over
    them, ``alone`` the mean shift with that mechanism only. Row ``together``: with all of them; row ``remainder``: the replicates' own shifts
    (``estimates`` against ``real_estimates``, ESTIMATES) less that: what models fitted to both sides do not see.

    Assumption
        The mechanisms' models describe both cohorts equally well; the remainder shows where they do not.
    Degenerate cases
        A replicate to which no mechanisms can be fitted, or one of whose mixtures has no estimate, is left out; with fewer than two left, or
        without a real estimate, the values are missing with the reason.
    """
    mechanisms = MECHANISMS if isinstance(outcomes[primary.outcome], SurvivalOutcome) else MECHANISMS[:3]
    known = _primary_rows(real_estimates, primary)
    error = float(known["std_error"].iloc[0]) if len(known) else math.nan
    if not error > 0:
        return _missing(mechanisms, "no primary estimate on the real patients")
    centre = float(_on_scale(known, primary)[0])
    answer = _answering(primary, covariates, designs, propensity, outcomes)
    fitter = MechanismFitter.of(real, Context(covariates, outcomes), primary.outcome)
    try:
        own = fitter.fit(real, rng=np.random.default_rng(seeds[0]))
    except GenerationError as fault:
        return _missing(mechanisms, f"real patients: {fault}")
    of_replicate = _primary_rows(estimates, primary)
    drawn = dict(zip(of_replicate["replicate"], _on_scale(of_replicate, primary), strict=True))
    shares: list[dict[str, dict[str, Share]]] = []
    totals: list[dict[str, float]] = []
    faults: list[str] = []
    for seed, (name, replicate) in zip(seeds, synthetic.groupby("replicate", sort=True), strict=False):
        try:
            if name not in drawn:
                raise NotEstimable("a replicate has no primary estimate")
            made = fitter.fit(replicate.reset_index(drop=True), rng=np.random.default_rng(seed))
            mixer = Mixer.of(primary.outcome, {_REAL: own.arranged_by(own), _SYNTHETIC: made.arranged_by(own)})
            worths = _mix_all(mixer, mechanisms, answer, seed=seed, error=error)
        except (GenerationError, NotEstimable) as fault:
            faults.append(str(fault))
            continue
        shares.append({quantity: shapley(worth, mechanisms) for quantity, worth in worths.items()})
        changes = {quantity: worth[frozenset(mechanisms)] - worth[frozenset()] for quantity, worth in worths.items()}
        totals.append(changes | {_OWN: (drawn[name] - centre) / error})
    if len(shares) < 2:
        return _missing(mechanisms, f"fewer than two replicates could be taken apart{': ' + faults[0] if faults else ''}")
    reason = f"{len(faults)} of {len(shares) + len(faults)} replicates left out: {faults[0]}" if faults else None
    rows: list[dict[str, object]] = []
    for quantity in (_SHIFT, _C):
        for mechanism in mechanisms:
            alone = float(np.mean([share[quantity][mechanism].alone for share in shares]))
            rows.append(_row(quantity, mechanism, np.array([share[quantity][mechanism].shapley for share in shares]), alone, reason))
        together = np.array([total[quantity] for total in totals])
        rows.append(_row(quantity, "together", together, math.nan, reason))
        if quantity == _SHIFT:
            rows.append(_row(quantity, "remainder", np.array([total[_OWN] for total in totals]) - together, math.nan, reason))
    return ATTRIBUTION.validate(pd.DataFrame(rows, columns=list(ATTRIBUTION.columns)))


def name_broken(attribution: pd.DataFrame, quantity: str = _SHIFT) -> Mechanism | None:
    """The mechanism that carries most of a quantity's gap in the gap's direction; None where the interval of no such one excludes zero.

    The gap is what all mechanisms make together, and for the shift the remainder that their models do not see. None also where together they go
    the other way: then the models do not explain the gap, and a share of what they make is no share of it.
    """
    values: dict[str, dict[Any, Any]] = {str(row["mechanism"]): row for row in attribution[attribution["quantity"] == quantity].to_dict("records")}
    if "together" not in values or math.isnan(values["together"]["value"]):
        return None
    together = float(values["together"]["value"])
    gap = together + float(values.get("remainder", {"value": 0.0})["value"])
    if not gap * together > 0:
        return None
    bound, sign = ("lower", 1.0) if gap > 0 else ("upper", -1.0)
    carrying = [(sign * float(values[name]["value"]), name) for name in MECHANISMS if name in values and sign * values[name][bound] > 0]
    return max(carrying)[1] if carrying else None


def _answering(
    primary: PrimaryEstimate, covariates: Covariates, designs: DesignsSection, propensity: PropensitySection, outcomes: OutcomesSection
) -> Callable[[pd.DataFrame], _Answer]:
    """What the study finds on a cohort of one replicate: the primary design alone, without a variance."""
    asked = ask_only(outcomes, primary, (primary.contrast,))
    study = {
        "covariates": covariates,
        "designs": for_estimates_only(DesignsSection({primary.design: designs[primary.design]})),
        "propensity": propensity,
        "seed": 0,
    }

    def answer(cohort: pd.DataFrame) -> _Answer:
        designed = apply_designs(cohort, **study, imbalance=np.inf, effective_patients=0)  # type: ignore[arg-type]
        made = {"weights": designed.weights, "overlap": designed.overlap, "scores": designed.propensity}
        found = estimate_effects(cohort, **made, **study, outcomes=asked).estimates  # type: ignore[arg-type]
        rows = _primary_rows(found, primary)
        reason = next(iter(found["reason"].dropna()), "it was not estimated")
        return _Answer(float(_on_scale(rows, primary)[0]) if len(rows) else math.nan, float(designed.overlap["c_statistic"].iloc[0]), str(reason))

    return answer


def _mix_all(
    mixer: Mixer, mechanisms: Sequence[str], answer: Callable[[pd.DataFrame], _Answer], *, seed: int, error: float
) -> dict[str, dict[Swapped, float]]:
    """The two quantities of every mixture; raises NotEstimable where one has no primary estimate."""
    found: dict[str, dict[Swapped, float]] = {_SHIFT: {}, _C: {}}
    for size in range(len(mechanisms) + 1):
        for chosen in combinations(mechanisms, size):
            sources = {mechanism: _SYNTHETIC if mechanism in chosen else _REAL for mechanism in MECHANISMS}
            said = answer(mixer.mix(**sources, seed=seed))
            if math.isnan(said.estimate):
                raise NotEstimable(f"a mixture has no primary estimate: {said.reason}")
            found[_SHIFT][frozenset(chosen)] = said.estimate / error
            found[_C][frozenset(chosen)] = said.c_statistic
    return found


def _primary_rows(estimates: pd.DataFrame, primary: PrimaryEstimate) -> pd.DataFrame:
    asked = (primary.design, primary.outcome, primary.contrast, primary.horizon_days)
    return estimates[np.array([row["status"] == "ok" and target_of(row) == asked for row in estimates.to_dict("records")], dtype=bool)]


def _on_scale(rows: pd.DataFrame, primary: PrimaryEstimate) -> NDArray[np.float64]:
    return to_analysis_scale(rows["estimate"].to_numpy(dtype=np.float64), primary.contrast)


def _row(quantity: str, mechanism: str, values: NDArray[np.float64], alone: float, reason: str | None) -> dict[str, object]:
    half = float(student.ppf(0.975, values.size - 1) * values.std(ddof=1) / math.sqrt(values.size))
    mean = float(values.mean())
    bounds = {"value": mean, "lower": mean - half, "upper": mean + half}
    return {"quantity": quantity, "mechanism": mechanism} | bounds | {"alone": alone, "replicates": values.size, "reason": reason}


def _missing(mechanisms: Sequence[str], reason: str) -> pd.DataFrame:
    rows = [
        {"quantity": _SHIFT, "mechanism": name, "value": math.nan, "lower": math.nan, "upper": math.nan, "alone": math.nan, "replicates": 0}
        | {"reason": reason}
        for name in (*mechanisms, "together", "remainder")
    ]
    return ATTRIBUTION.validate(pd.DataFrame(rows, columns=list(ATTRIBUTION.columns)))
