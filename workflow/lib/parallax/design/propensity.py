"""The propensity score: the probability of the treated arm given the covariates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parallax.design.learners import LEARNERS, combine_convexly, cross_fit, cross_fit_logistic, draw_folds
from parallax.design.matrix import DesignMatrix
from parallax.design.terms import build_regressors
from parallax.errors import NotEstimable
from parallax.protocol.propensity import BoostedScore, EnsembleScore, LogisticScore, PenalisedScore, PropensityModel, PropensitySection
from parallax.statistics.logistic import fit_logistic


@dataclass(frozen=True, slots=True)
class PropensityScore:
    """``score`` (n,), P(treated | covariates); ``comparable`` (n,), False for patients whose covariates occur in one arm only (score 0 or 1)."""

    score: NDArray[np.float64]
    comparable: NDArray[np.bool_]


def fit_scores(
    matrix: DesignMatrix, treated: NDArray[np.bool_], section: PropensitySection, *, rng: np.random.Generator
) -> dict[str, PropensityScore | str]:
    """Every score of the protocol by name; one that cannot be fitted is the reason in words.

    A score draws from a stream of its own, in the protocol's order: adding one at the end does not move those before it.
    """
    found: dict[str, PropensityScore | str] = {}
    for (name, model), stream in zip(section.items(), rng.spawn(len(section.names)), strict=True):
        try:
            if treated.all() or not treated.any():
                raise NotEstimable("one arm has no patients")
            found[name] = _MODELS[model.model](matrix, treated, model, section, stream)
        except NotEstimable as error:
            found[name] = str(error)
    return found


def fit_maximum_likelihood(matrix: DesignMatrix, treated: NDArray[np.bool_], model: LogisticScore) -> PropensityScore:
    """Unpenalised logistic maximum likelihood.

    Assumption
        The logit is linear in the model's terms.
    One-sided levels
        Where all patients of a level, or of two levels together that interact, are in one arm, the likelihood has no maximum but a limit: their
        score is 0 or 1, and the others' scores maximise the likelihood without them (Geyer 2009, section 3.2). They lack positivity and are
        marked as not comparable.
    Errors
        ``NotEstimable`` where covariates separate the arms in another way; the message names the covariates.
    """
    comparable = find_comparable(matrix, treated, model.interactions)
    regressors, names = build_regressors(matrix, model, comparable)
    try:
        fitted = fit_logistic(regressors, treated[comparable].astype(np.float64)).fitted
    except NotEstimable as error:
        named = sorted({names[column] for column in error.columns if names[column]})
        raise NotEstimable(f"the propensity score has no maximum likelihood: {error}" + (f" ({', '.join(named)})" if named else "")) from error
    score = treated.astype(np.float64)
    score[comparable] = fitted
    return PropensityScore(score, comparable)


def fit_penalised(matrix: DesignMatrix, treated: NDArray[np.bool_], model: PenalisedScore, *, rng: np.random.Generator) -> PropensityScore:
    """Ridge or lasso at the penalty with the best cross-validated log-likelihood, then fitted to all patients."""
    everyone = np.ones(len(treated), dtype=bool)
    values = build_regressors(matrix, model, everyone)[0]
    return PropensityScore(LEARNERS[model.model](model, values, treated, rng)(values), everyone)


def fit_boosted(matrix: DesignMatrix, treated: NDArray[np.bool_], model: BoostedScore, *, rng: np.random.Generator) -> PropensityScore:
    """Gradient-boosted trees, cross-fitted: a patient's score comes from the folds without the patient."""
    folds = draw_folds(treated, model.folds, rng=rng)
    return PropensityScore(cross_fit(LEARNERS["boosting"], model, matrix.values, treated, folds, rng=rng), np.ones(len(treated), dtype=bool))


def fit_ensemble(
    matrix: DesignMatrix, treated: NDArray[np.bool_], model: EnsembleScore, section: PropensitySection, *, rng: np.random.Generator
) -> PropensityScore:
    """The convex combination of the members' out-of-fold scores with the largest log-likelihood (van der Laan, Polley and Hubbard 2007)."""
    everyone = np.ones(len(treated), dtype=bool)
    folds = draw_folds(treated, model.folds, rng=rng)
    predictions = []
    for name in model.members:
        member = section[name]
        values = matrix.values if isinstance(member, BoostedScore) else build_regressors(matrix, member, everyone)[0]  # type: ignore[arg-type]
        predictions.append(cross_fit(LEARNERS[member.model], member, values, treated, folds, rng=rng))
    return PropensityScore(combine_convexly(np.column_stack(predictions), treated), everyone)


def cross_fit_score(
    matrix: DesignMatrix,
    treated: NDArray[np.bool_],
    model: PropensityModel,
    fitted: PropensityScore,
    folds: NDArray[np.int64],
    *,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """The score (comparable,) of each comparable patient by the same model fitted to the other ``folds`` (comparable,).

    A logistic regression is penalised there, by a rule (:func:`parallax.design.learners.cross_fit_logistic`). Boosted scores and ensembles are out
    of fold already and are returned as they are.
    """
    inside = fitted.comparable
    if isinstance(model, BoostedScore | EnsembleScore):
        return fitted.score[inside]
    values = build_regressors(matrix, model, inside)[0]
    if isinstance(model, LogisticScore):
        return cross_fit_logistic(values, treated[inside], folds)
    return cross_fit(LEARNERS[model.model], model, values, treated[inside], folds, rng=rng)


#: a new propensity model is one function above and one line here
_MODELS: Final[Mapping[str, Callable[[DesignMatrix, NDArray[np.bool_], Any, PropensitySection, np.random.Generator], PropensityScore]]] = {
    "logistic": lambda matrix, treated, model, _section, _rng: fit_maximum_likelihood(matrix, treated, model),
    "ridge": lambda matrix, treated, model, _section, rng: fit_penalised(matrix, treated, model, rng=rng),
    "lasso": lambda matrix, treated, model, _section, rng: fit_penalised(matrix, treated, model, rng=rng),
    "boosting": lambda matrix, treated, model, _section, rng: fit_boosted(matrix, treated, model, rng=rng),
    "ensemble": lambda matrix, treated, model, section, rng: fit_ensemble(matrix, treated, model, section, rng=rng),
}


def knows_its_variance(model: PropensityModel) -> bool:
    """Whether stacked estimating equations can account for the estimation of this score."""
    return isinstance(model, LogisticScore)


def find_comparable(matrix: DesignMatrix, treated: NDArray[np.bool_], interactions: Iterable[tuple[str, str]] = ()) -> NDArray[np.bool_]:
    """Patients left when those of one-sided levels are set aside, again and again, since that may make another level one-sided.

    Of two covariates with an interaction, every pair of their levels is a level.
    """
    binary = np.flatnonzero(((matrix.values == 0) | (matrix.values == 1)).all(axis=0))
    levels = np.concatenate([matrix.values[:, binary], 1 - matrix.values[:, binary]], axis=1) == 1
    names = [matrix.covariates[column] for column in binary] * 2
    for pair in interactions:
        first, second = ([column for column, name in enumerate(names[: 2 * len(binary)]) if name == one] for one in pair)
        both = [levels[:, one] & levels[:, other] for one in first for other in second]
        if both:
            levels, names = np.column_stack([levels, *both]), [*names, *[" × ".join(pair)] * len(both)]
    comparable = np.ones(len(treated), dtype=bool)
    while True:
        in_treated = levels[comparable & treated].sum(axis=0)
        in_comparator = levels[comparable & ~treated].sum(axis=0)
        one_sided = (in_treated == 0) != (in_comparator == 0)
        if not one_sided.any():
            return comparable
        comparable &= ~levels[:, one_sided].any(axis=1)
        if not (comparable & treated).any() or not (comparable & ~treated).any():
            named = sorted({names[column] for column in np.flatnonzero(one_sided)})
            raise NotEstimable(f"the arms share no level of these covariates: {', '.join(named)}")
