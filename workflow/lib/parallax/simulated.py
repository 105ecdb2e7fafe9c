"""Studies like this one with a known effect: the real covariates, with treatment and outcome drawn anew from models estimated from the real patients.

The effect of treatment is *replaced* by a stated one before the first patient is drawn, so that what the real effect is plays no part. Terms of all
models: the covariates' columns, the squares of the numeric ones, and the product of each with the next; confounding is as strong as it looks,
and bends.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any, Final, get_args

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from parallax.design.matrix import build_design_matrix
from parallax.errors import NotEstimable, StatisticsError
from parallax.protocol.cohort import Covariates
from parallax.protocol.designs import Design
from parallax.protocol.outcomes import BinaryOutcome, ContinuousOutcome, Outcome, SurvivalOutcome
from parallax.protocol.question import Hypothesis
from parallax.simulation.fitting import fit_binary, fit_continuous, fit_survival, fit_treatment
from parallax.simulation.models import ContinuousModel, SurvivalModel, regression_terms
from parallax.simulation.plasmode import Plasmode, draw_study
from parallax.simulation.truth import Target, TrueContrast, true_effect
from parallax.vocabulary import ESTIMANDS, RATIO_CONTRASTS

#: a normal prior of standard deviation 1/√5 for each coefficient of the models
RIDGE: Final = 5.0
#: squares and products of longer tails would let one patient decide
_LIMIT: Final = 3.0
#: log ratios or standard deviations within which an effect is looked for
_LARGEST: Final = 6.0
_TRUE_CONTRASTS: Final = frozenset(get_args(TrueContrast))


def fit_study(cohort: pd.DataFrame, *, covariates: Covariates, name: str, outcome: Outcome, ridge: float = RIDGE) -> Plasmode:
    """The models of a study's treatment and outcome ``name``, one effect of treatment for all, estimated from a cohort.

    A hazard has coefficients of its own between the outcome's horizons. ``ridge`` is the penalty of every coefficient but the intercepts. Raises
    NotEstimable for an outcome that has no such model: counts, competing events.
    """
    treated = cohort["treated"].to_numpy(dtype=bool)
    matrix = build_design_matrix(cohort, covariates)
    columns = matrix.modelled(np.ones(len(cohort), dtype=bool))
    numeric = [
        place
        for place, column in enumerate(columns)
        if matrix.covariates[column] in covariates.numeric and matrix.levels[column] is None and np.unique(matrix.values[:, column]).size > 2
    ]
    terms = regression_terms(matrix.values[:, columns], squares=numeric, products=list(pairwise(numeric)), limit=_LIMIT)
    treatment = fit_treatment(terms, treated, ridge=ridge)
    match outcome:
        case SurvivalOutcome(competing=()):
            days, event = cohort[f"{name}_days"].to_numpy(float), cohort[f"{name}_event"].to_numpy() == 1
            edges = (0.0, *(horizon for horizon in outcome.horizons_days if (event & (days > horizon)).any()))
            return Plasmode(
                terms, treatment, fit_survival(terms, treated, days, event, end_days=float(np.ceil(days.max())), edges=edges, ridge=ridge)
            )
        case BinaryOutcome():
            return Plasmode(terms, treatment, fit_binary(terms, treated, cohort[f"{name}_value"], ridge=ridge))
        case ContinuousOutcome():
            return Plasmode(terms, treatment, fit_continuous(terms, treated, cohort[f"{name}_value"], ridge=ridge))
    raise NotEstimable("a simulated study is known for survival without competing events, binary and continuous outcomes")


def model_study(cohort: pd.DataFrame, *, covariates: Covariates, name: str, outcome: Outcome) -> Plasmode:
    """The models of :func:`fit_study` with the effect of treatment set to none."""
    return set_effect(fit_study(cohort, covariates=covariates, name=name, outcome=outcome), 0.0)


def set_effect(plasmode: Plasmode, effect: float) -> Plasmode:
    """The same study with this effect of treatment given the covariates: a log ratio, or standard deviations of a measurement's residuals."""
    model = plasmode.outcome
    scaled = effect * model.deviation if isinstance(model, ContinuousModel) else effect
    return Plasmode(plasmode.terms, plasmode.treatment, model.with_effect(scaled))


def simulate_cohort(
    plasmode: Plasmode, population: pd.DataFrame, *, covariates: Covariates, name: str, patients: int, rng: np.random.Generator
) -> pd.DataFrame:
    """A simulated study's cohort table: covariate rows of ``population`` with replacement, treatment and outcome ``name`` drawn."""
    drawn = draw_study(plasmode, patients=patients, rng=rng)
    identity = {"replicate": np.int64(0), "patient_id": pd.array(np.arange(1, patients + 1).astype(str), dtype="string"), "treated": drawn.treated}
    outcome = {f"{name}_{part}": values.astype(np.int64) if part == "event" else values for part, values in drawn.outcome.items()}
    kept = population[list(covariates.names)].iloc[drawn.rows].reset_index(drop=True)
    return pd.concat([pd.DataFrame(identity), kept, pd.DataFrame(outcome)], axis=1)


def find_truth(plasmode: Plasmode, hypothesis: Hypothesis, design: Design) -> float:
    """What the estimate converges to on the analysis scale, the study's own losses to follow-up included (parallax.simulation.truth).

    Assumption: the design reaches its stated estimand: a caliper or a bin that leaves patients out moves it a little, which is not in here.
    Raises NotEstimable where the truth is not known: another contrast, a design without an estimand or with trimmed or truncated weights.
    """
    estimand: Any = getattr(design, "estimand", "ATT" if design.method in ("match", "coarsen") else None)
    if hypothesis.contrast not in _TRUE_CONTRASTS or estimand not in ESTIMANDS:
        raise NotEstimable(f"no truth is known of the contrast {hypothesis.contrast} under a design with method: {design.method}")
    if getattr(design, "trim", None) is not None or getattr(design, "truncate", None) is not None:
        raise NotEstimable("no truth is known under trimmed or truncated weights")
    target = Target.of(plasmode.propensity, estimand, stabilised=bool(getattr(design, "stabilised", False)))
    contrast: Any = hypothesis.contrast
    try:
        value = true_effect(_until(plasmode, hypothesis.horizon_days), contrast, target, horizon_days=hypothesis.horizon_days, censored=True)
    except StatisticsError as error:
        raise NotEstimable(str(error)) from error
    return float(np.log(value)) if contrast in RATIO_CONTRASTS else value


def solve_effect(plasmode: Plasmode, hypothesis: Hypothesis, design: Design, truth: float) -> Plasmode:
    """The same study with the effect given the covariates under which the *marginal* truth of the hypothesis is ``truth`` (analysis scale).

    Raises NotEstimable where no effect within e^±6 makes it so: a risk difference beyond what the risks allow.
    """

    def miss(effect: float) -> float:
        return find_truth(set_effect(plasmode, effect), hypothesis, design) - truth

    width = 0.5
    while width <= _LARGEST:
        try:
            if miss(-width) * miss(width) <= 0.0:
                return set_effect(plasmode, float(brentq(miss, -width, width, xtol=1e-10)))
        except NotEstimable:
            if width == 0.5:
                raise
            break
        width *= 2.0
    raise NotEstimable(f"no effect of treatment in these patients makes the {hypothesis.contrast} that was asked for")


def _until(plasmode: Plasmode, horizon_days: float | None) -> Plasmode:
    """The study followed up to the horizon only, where that is a recorded time: what is later does not count, and costs."""
    model = plasmode.outcome
    if horizon_days is None or not isinstance(model, SurvivalModel) or horizon_days % model.unit_days or horizon_days > model.end_days:
        return plasmode
    return Plasmode(plasmode.terms, plasmode.treatment, replace(model, end_days=horizon_days))
