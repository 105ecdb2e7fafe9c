"""Simulated studies of known effect, each through generator, primary design, combining rules and agreement gate."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from parallax.analysis.designs import design_alone
from parallax.analysis.effects import estimate_hypothesis
from parallax.certification.correct import CorrectGenerator
from parallax.errors import Fault, ParallaxError, ProtocolError
from parallax.protocol.cohort import CohortSection
from parallax.protocol.designs import DesignsSection, MatchDesign
from parallax.protocol.generators import Generator, SequentialGenerator
from parallax.protocol.outcomes import Outcome, OutcomesSection
from parallax.protocol.propensity import PropensitySection
from parallax.protocol.question import PrimaryEstimate, QuestionSection
from parallax.protocol.synthesis import SynthesisSection
from parallax.protocol.validation import Certification, Gates
from parallax.seeds import derive_seed
from parallax.simulated import model_study, simulate_cohort, solve_effect
from parallax.simulation.plasmode import Plasmode
from parallax.synthesis.generator import Context, FittedGenerator
from parallax.synthesis.registry import draw_replicates, fit_generator, fit_procedure
from parallax.tables import FLOOR as FLOOR_TABLE
from parallax.tables import SIMULATED_STUDIES, empty_table
from parallax.validation.against_floor import read_against_floor
from parallax.validation.agreement import measure_agreement
from parallax.validation.combining import answering_rule, combine, take_real, to_analysis_scale
from parallax.validation.floor import resample_patients, shift_floor
from parallax.validation.rules import Fit, choose_rule
from parallax.vocabulary import CERTIFICATION, CORRECT, RATIO_CONTRASTS, REAL

logger = logging.getLogger("parallax.certification")

#: a simulated study's patients, and a seed for every purpose → its replicates as a cohort table
SeedOf = Callable[..., int]
Synthesise = Callable[[pd.DataFrame, SeedOf], pd.DataFrame]


@dataclass(frozen=True, slots=True)
class Chain:
    """What a simulated study goes through: the primary design's own settings, nothing that the primary estimate does not need.

    ``outcome`` keeps its horizons, between which a generator's models may change, but has the primary contrast only. A generator draws
    ``replicates`` (m) of ``synthetic`` times as many patients as the study has; the floor has ``floor_cohorts``.
    """

    context: Context
    outcome: Outcome
    primary: PrimaryEstimate
    study: Mapping[str, Any]
    gates: Gates
    replicates: int
    floor_cohorts: int
    synthetic: float
    fit: Fit

    @classmethod
    def of(
        cls,
        *,
        question: QuestionSection,
        cohort: CohortSection,
        synthesis: SynthesisSection,
        designs: DesignsSection,
        propensity: PropensitySection,
        outcomes: OutcomesSection,
        gates: Gates,
    ) -> Self:
        """The chain of a study."""
        primary, covariates = question.primary, cohort.covariates
        outcome = outcomes[primary.outcome].model_copy(update={"contrasts": (primary.contrast,)})
        alone = OutcomesSection({primary.outcome: outcome})
        study = design_alone(primary.design, designs, propensity) | {"covariates": covariates, "outcomes": alone}
        context = Context(covariates, alone, synthesis.constraints)
        return cls(context, outcome, primary, study, gates, synthesis.replicates, synthesis.floor_cohorts, synthesis.patients, synthesis.fit)

    def size(self, cohort: pd.DataFrame) -> int:
        """Patients of a replicate (k)."""
        return max(round(self.synthetic * len(cohort)), 1)

    def estimate(self, cohort: pd.DataFrame, *, seed: int) -> pd.DataFrame:
        """The primary estimate of every replicate (ESTIMATES)."""
        return estimate_hypothesis(cohort, self.primary, **self.study, seed=seed)


@dataclass(frozen=True, slots=True)
class KnownEffect:
    """Studies of one effect: their models, and the truth of the primary estimate on the analysis scale."""

    name: str
    plasmode: Plasmode
    truth: float


def list_effects(certification: Certification, *, ratio: bool) -> dict[str, float]:
    """The truths by name on the analysis scale: none, the protocol's minimal important effect, and a stronger one.

    Raises ProtocolError where the protocol states no minimal important effect.
    """
    minimal = certification.minimal_important_effect
    if minimal is None:
        fault = Fault(
            "validation.certification.minimal_important_effect",
            "nothing",
            "the smallest effect that would matter, on the scale of the primary contrast",
            "state it: a certificate says whether the gate would catch a bad generator where this is the truth",
        )
        raise ProtocolError([fault])
    stronger = certification.stronger_effect
    scale = np.log if ratio else float
    smallest = float(scale(minimal))
    return {"no_effect": 0.0, "minimal_important": smallest, "stronger": 2.0 * smallest if stronger is None else float(scale(stronger))}


def model_effects(cohort: pd.DataFrame, chain: Chain, certification: Certification) -> list[KnownEffect]:
    """The simulated studies of every effect, modelled on a site's cohort."""
    primary = chain.primary
    design = chain.study["designs"][primary.design]
    null = model_study(cohort, covariates=chain.context.covariates, name=primary.outcome, outcome=chain.outcome)
    effects = list_effects(certification, ratio=primary.contrast in RATIO_CONTRASTS)
    return [KnownEffect(name, solve_effect(null, primary, design, truth), truth) for name, truth in effects.items()]


def synthesise_by(settings: Generator, synthesis: SynthesisSection, chain: Chain) -> Synthesise:
    """How a generator of the protocol makes a study's replicates: fitted once, or to a resample for each."""
    columns: dict[str, Any] = {"covariates": chain.context.covariates, "outcomes": chain.context.outcomes, "constraints": synthesis.constraints}
    apart = isinstance(settings, SequentialGenerator) and settings.recipe == "calibrated"

    def synthesise(cohort: pd.DataFrame, seed_of: SeedOf) -> pd.DataFrame:
        if synthesis.fit == "single" and not apart:
            return _draw_at_once(fit_generator(settings, cohort, **columns, seed=seed_of("fit")), cohort, chain, seed_of)
        refits = {number: seed_of("fit", number) for number in range(chain.replicates)}
        fitted = fit_procedure(settings, cohort, **columns, fit=synthesis.fit, seed=seed_of("fit"), refits=refits)
        seeds = [seed_of("draw", number) for number in range(chain.replicates)]
        return draw_replicates(fitted, replicates=chain.replicates, patients=chain.size(cohort), seeds=seeds)

    return synthesise


def synthesise_correctly(chain: Chain) -> Synthesise:
    """How the generator that is right by construction makes a study's replicates, fitted once."""

    def synthesise(cohort: pd.DataFrame, seed_of: SeedOf) -> pd.DataFrame:
        return _draw_at_once(CorrectGenerator.fit(cohort, chain.context), cohort, chain, seed_of)

    return synthesise


def _draw_at_once(fitted: FittedGenerator, cohort: pd.DataFrame, chain: Chain, seed_of: SeedOf) -> pd.DataFrame:
    """All replicates in one draw, a tenth of the cost: patients of a fitted generator are independent, so that any split of them is as good.

    Not for the calibrated recipe, which draws its patients from one pool.
    """
    size = chain.size(cohort)
    drawn = fitted.draw(chain.replicates * size, rng=np.random.default_rng(seed_of("draw")))
    numbers = np.arange(1, size + 1).astype(str)
    identity = pd.DataFrame(
        {
            "replicate": np.repeat(np.arange(chain.replicates, dtype=np.int64), size),
            "patient_id": pd.array(np.tile(numbers, chain.replicates), dtype="string"),
        }
    )
    return pd.concat([identity, drawn], axis=1)


def run_studies(
    cohort: pd.DataFrame,
    chain: Chain,
    effects: Iterable[KnownEffect],
    synthesise: Synthesise,
    *,
    generator: str,
    repetitions: Iterable[int],
    seed: int,
    patients: int | None = None,
) -> pd.DataFrame:
    """The SIMULATED_STUDIES table of a generator: every effect for each of the ``repetitions`` (numbers, not a number).

    A study of ``patients`` (None: as many as the cohort has) is drawn from (``seed``, effect, number) alone, so that all generators see the same
    studies; a generator's seeds follow from its name as well. Which numbers are run together never changes a row. What it will take is logged
    once the first studies show it.
    """
    planned = [(number, effect) for number in repetitions for effect in effects]
    rows: list[dict[str, object]] = []
    begun = 0.0
    for done, (number, effect) in enumerate(planned):
        if done == 1:  # the first one also loads what the generator needs
            begun = time.process_time()
        elif done == 2:
            spent = time.process_time() - begun
            left = spent * (len(planned) - done) / 60
            logger.info("%s: a simulated study takes %.2f CPU seconds, the %d left %.1f minutes", generator, spent, len(planned) - done, left)
        of_study = (CERTIFICATION, effect.name, number)
        simulated = simulate_cohort(
            effect.plasmode,
            cohort,
            covariates=chain.context.covariates,
            name=chain.primary.outcome,
            patients=patients or len(cohort),
            rng=np.random.default_rng(derive_seed(seed, *of_study)),
        )

        def seed_of(*purpose: str | int, of_study: tuple[str | int, ...] = of_study) -> int:
            return derive_seed(seed, generator, *of_study, *purpose)

        labels = {"effect": effect.name, "repetition": number, "truth": effect.truth}
        rows += [labels | row for row in _run(simulated, chain, synthesise, generator, seed_of, derive_seed(seed, *of_study, "analysis"))]
    return SIMULATED_STUDIES.validate(pd.DataFrame(rows, columns=list(SIMULATED_STUDIES.columns)))


def _run(simulated: pd.DataFrame, chain: Chain, synthesise: Synthesise, generator: str, seed_of: SeedOf, seed: int) -> Iterator[dict[str, object]]:
    """The rows of one study: its own answer, then every rule's."""
    estimates = chain.estimate(simulated, seed=seed)
    real = take_real(estimates)
    yield _answer(real.iloc[0], chain) | {"generator": REAL}
    fit: Fit = "single" if generator == CORRECT else chain.fit
    try:
        drawn = synthesise(simulated, seed_of)
    except ParallaxError as error:
        yield {"generator": generator, "rule": choose_rule(fit, chain.replicates), "reason": " ".join(str(error).split())}
        return
    made = chain.estimate(drawn, seed=seed)
    stacked = chain.estimate(drawn.assign(replicate=0), seed=seed)
    combined = combine(
        made,
        stacked=stacked,
        patients=len(simulated),
        synthetic=chain.size(simulated),
        fit=fit,
        not_estimable=chain.gates.replicates_not_estimable,
    )
    for _, row in combined.iterrows():
        judged = _judge(simulated, estimates, real, combined, made, chain, seed_of) if row["rule"] == answering_rule(combined) else {}
        yield {"generator": generator} | _answer(row, chain) | judged


def _answer(row: Any, chain: Chain) -> dict[str, object]:
    """A row of COMBINED on the analysis scale."""
    if row["status"] != "ok":
        return {"rule": row["rule"], "reason": row["reason"]}
    numbers = to_analysis_scale([row[name] for name in ("estimate", "lower", "upper")], chain.primary.contrast)
    return {"rule": row["rule"], "std_error": row["std_error"], "reason": None} | dict(zip(("estimate", "lower", "upper"), numbers, strict=True))


def _judge(
    simulated: pd.DataFrame,
    estimates: pd.DataFrame,
    real: pd.DataFrame,
    combined: pd.DataFrame,
    made: pd.DataFrame,
    chain: Chain,
    seed_of: SeedOf,
) -> dict[str, object]:
    """The agreement gate on one study, with what its power rests on.

    Where the primary design matches, the gate stands on the shift beyond the floor, which is then measured in every study; of other designs the
    floor is left out. What the gate does not judge says why: a study that is not estimable, or a matched one whose own floor lies beyond the gate.
    """
    design = chain.study["designs"][chain.primary.design]
    floor = empty_table(FLOOR_TABLE)
    if isinstance(design, MatchDesign):
        resampled = resample_patients(simulated, [seed_of("floor", number) for number in range(chain.floor_cohorts)])
        floor = shift_floor(real, chain.estimate(resampled, seed=seed_of("floor")), replicates=chain.replicates)
    agreement = measure_agreement(real, combined, floor=floor, primary=chain.primary, gates=chain.gates)
    if len(floor):
        no_weights = pd.DataFrame({"design": [chain.primary.design], "max_weight": [np.nan]})
        agreement = read_against_floor(agreement, real_overlap=no_weights, designs=chain.study["designs"])
    gate = agreement[agreement["threshold"].notna()].iloc[0]
    overlap = agreement.loc[agreement["metric"] == "ci_overlap", "value"].iloc[0]
    variance = float(estimates["std_error"].iloc[0]) ** 2
    logs = to_analysis_scale(made["estimate"], chain.primary.contrast)
    scatter = logs.var(ddof=1) / variance if variance > 0 and len(logs) > 1 else np.nan
    return {"shift": gate["value"], "passed": gate["passed"], "ci_overlap": overlap, "between": scatter, "reason": gate["reason"]}
