"""Structure: how treatment and the outcome depend on the covariates, in real and in synthetic patients.

This is what an effect rests on and what margins do not show: balance before any design, overlap, and the coefficients of a treatment and of
an outcome model, on columns that the real patients fix.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.errors import NotEstimable
from parallax.protocol.cohort import Covariates
from parallax.protocol.outcomes import BinaryOutcome, CountOutcome, OutcomesSection, SurvivalOutcome
from parallax.protocol.question import PrimaryEstimate
from parallax.statistics.balance import standardised_differences
from parallax.statistics.cox import fit_cox
from parallax.statistics.logistic import fit_logistic
from parallax.statistics.poisson import fit_poisson
from parallax.synthesis.generator import Context
from parallax.synthesis.predictors import Predictors
from parallax.tables import COEFFICIENTS

FloatArray = NDArray[np.float64]

#: scores beyond these say that a patient like this is hardly ever treated, or hardly ever not
EXTREME: Final = (0.05, 0.95)
#: a normal prior of standard deviation one on standardised columns: finite coefficients, hardly any shrinkage
_RIDGE: Final = 1.0
_SPLITS: Final = 20


@dataclass(frozen=True, slots=True)
class Structure:
    """Of one cohort: share of ``extreme`` scores, ``balance`` (p,) standardised mean differences of the arms as they are, and the coefficients
    of the models ``treatment`` (p,) and ``outcome`` (p + 1,), treatment first, with their standard errors."""

    extreme: float
    balance: FloatArray
    coefficients: Mapping[str, FloatArray]
    errors: Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True)
class StructureMeter:
    """Measures structures on one footing: columns of mean zero and variance one among the real patients, whatever cohort is measured."""

    predictors: Predictors
    primary: PrimaryEstimate
    outcomes: OutcomesSection
    terms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, real: pd.DataFrame, *, covariates: Covariates, outcomes: OutcomesSection, primary: PrimaryEstimate) -> StructureMeter:
        """Fix the columns on the real patients."""
        predictors = Predictors.fit(real, Context(covariates, outcomes), squares=False)
        return cls(predictors, primary, outcomes, {"treatment": predictors.terms, "outcome": ("treatment", *predictors.terms)})

    def measure(self, patients: pd.DataFrame) -> Structure:
        """The structure of one replicate; raises NotEstimable where an arm has fewer than two patients or a model has no estimate."""
        x, treated = self.predictors.standardise(patients), patients["treated"].to_numpy(bool)
        if not x.shape[1]:
            raise NotEstimable("no covariate varies among the real patients")
        balance = standardised_differences(x, treated)
        fit = fit_logistic(np.column_stack([np.ones(len(x)), x]), treated, ridge=np.append(0.0, np.full(x.shape[1], _RIDGE)))
        outcome, error = self._fit_outcome(patients, np.column_stack([treated, x]))
        return Structure(
            float(np.mean((fit.fitted < EXTREME[0]) | (fit.fitted > EXTREME[1]))),
            np.where(np.isfinite(balance), balance, 0.0),
            {"treatment": fit.coefficients[1:], "outcome": outcome},
            {"treatment": np.sqrt(np.diag(fit.covariance))[1:], "outcome": error},
        )

    def _fit_outcome(self, patients: pd.DataFrame, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Cox regression up to the primary horizon, logistic, Poisson or linear regression by the outcome's type, and standard errors."""
        name, outcome = self.primary.outcome, self.outcomes[self.primary.outcome]
        penalty = np.append(0.0, np.full(x.shape[1] - 1, _RIDGE))
        match outcome:
            case SurvivalOutcome():
                days, event = patients[f"{name}_days"].to_numpy(float), patients[f"{name}_event"].to_numpy(np.int64) == 1
                horizon = math.inf if self.primary.horizon_days is None else self.primary.horizon_days
                found = fit_cox(np.minimum(days, horizon), event & (days <= horizon), x, ridge=penalty)
                return found.coefficients, np.sqrt(np.diag(found.covariance_naive))
            case BinaryOutcome() | CountOutcome():
                value, design = patients[f"{name}_value"].to_numpy(float), np.column_stack([np.ones(len(x)), x])
                if isinstance(outcome, BinaryOutcome):
                    fit = fit_logistic(design, value, ridge=np.append(0.0, penalty))
                    return fit.coefficients[1:], np.sqrt(np.diag(fit.covariance))[1:]
                exposure = patients[f"{name}_person_days"].to_numpy(float) if "person_days" in outcome.columns else None
                rates = fit_poisson(design, value, exposure=exposure, ridge=np.append(0.0, penalty))
                return rates.coefficients[1:], np.sqrt(np.diag(rates.covariance))[1:]
            case _:
                value, centred = patients[f"{name}_value"].to_numpy(float), x - x.mean(axis=0)
                inverse = np.linalg.pinv(centred.T @ centred + np.diag(penalty))
                slopes: FloatArray = inverse @ centred.T @ (value - value.mean())
                residual = value - value.mean() - centred @ slopes
                return slopes, np.sqrt(np.diag(inverse) * residual.var())


def compare_structures(real: Structure, others: Sequence[Structure]) -> dict[str, float]:
    """The mean structure of the others against the real one.

    * extreme_score_gap: share of extreme scores, others minus real: below zero a generator hides that treatment was all but decided;
    * balance_profile_gap: root mean square over columns of the difference in standardised mean differences;
    * treatment_coefficients_gap, outcome_coefficients_gap: root mean square over covariates' columns of the difference of coefficients in
      standard errors of the real ones.
    """
    changes = {
        model: coefficient_gaps(real, others, model)[1 if model == "outcome" else 0 :]  # treatment's own coefficient is the effect, not the structure
        for model in real.coefficients
    }
    return {
        "extreme_score_gap": float(np.mean([other.extreme for other in others])) - real.extreme,
        "balance_profile_gap": _root_mean_square(np.mean([other.balance for other in others], axis=0) - real.balance),
        "treatment_coefficients_gap": _root_mean_square(changes["treatment"]),
        "outcome_coefficients_gap": _root_mean_square(changes["outcome"]),
    }


def coefficient_gaps(real: Structure, others: Sequence[Structure], model: str) -> FloatArray:
    """Mean coefficient of the others minus the real one, in standard errors of the real one."""
    gaps: FloatArray = (np.mean([other.coefficients[model] for other in others], axis=0) - real.coefficients[model]) / real.errors[model]
    return gaps


@dataclass(frozen=True, slots=True)
class HalfSplits:
    """What random halves of the real patients differ by: 95 % quantiles of the sizes by metric, and by model and term in real standard errors."""

    metrics: Mapping[str, float]
    terms: Mapping[str, FloatArray]


def split_structures(real: pd.DataFrame, meter: StructureMeter, *, rng: np.random.Generator, splits: int = _SPLITS) -> HalfSplits:
    """Halves against each other, in standard errors of all real patients; a split that cannot be measured is left out, and none may be left."""
    whole = meter.measure(real)
    metrics: dict[str, list[float]] = {}
    terms: dict[str, list[FloatArray]] = {model: [] for model in whole.coefficients}
    for _ in range(splits):
        order = rng.permutation(len(real))
        try:
            halves = [meter.measure(real.iloc[np.sort(rows)].reset_index(drop=True)) for rows in np.array_split(order, 2)]
        except NotEstimable:
            continue
        scaled = [Structure(half.extreme, half.balance, half.coefficients, whole.errors) for half in halves]
        for name, value in compare_structures(scaled[0], scaled[1:]).items():
            metrics.setdefault(name, []).append(abs(value))
        for model, found in terms.items():
            found.append(np.abs(coefficient_gaps(scaled[0], scaled[1:], model)))
    return HalfSplits(
        {name: float(np.quantile(values, 0.95)) for name, values in metrics.items()},
        {model: np.quantile(found, 0.95, axis=0) for model, found in terms.items() if found},
    )


def tabulate_coefficients(meter: StructureMeter, real: Structure, others: Sequence[Structure], halves: HalfSplits) -> pd.DataFrame:
    """The COEFFICIENTS table: every term of both models, real and synthetic side by side, with the band that halves of the real give."""
    parts = []
    for model, terms in meter.terms.items():
        band = halves.terms.get(model, np.full(len(terms), math.nan))
        rows = {
            "model": model,
            "term": list(terms),
            "real": real.coefficients[model],
            "std_error": real.errors[model],
            "synthetic": np.mean([other.coefficients[model] for other in others], axis=0),
            "gap": coefficient_gaps(real, others, model),
            "band": band,
        }
        parts.append(pd.DataFrame(rows))
    return COEFFICIENTS.validate(pd.concat(parts, ignore_index=True))


def _root_mean_square(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else 0.0
