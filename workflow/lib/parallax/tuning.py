"""A generator's settings chosen on simulated studies within a stated budget, never on the shift that it is judged by.

A simulated study has the real covariates; treatment and outcome are drawn from models estimated from the real patients (parallax.simulated),
in which the effect of treatment is *replaced* by stated ones before the first patient is drawn: what the real effect is, and how far any
generator would shift it, is never looked at. Every candidate is fitted to the same simulated patients as the study fits it (its constraints, a
site's own settings, one fit or one to a resample for each replicate), draws as many patients as there are from the same seeds, none of its
replicates may lack an estimate, and the study's primary design is applied to what
it draws. With Q_j and √V_j the estimate and its standard error of target j on the simulated patients and q_j the partial rule's of the m
replicates, on the analysis scale,

    score of repetition r    s_r = mean over effects, sites and targets j of {(q_j − Q_j)/√V_j}²,
    RMSE                     {Σ s_r/R}^½, with Monte-Carlo error sd(s)/(2 √R RMSE) (delta method; Morris, White & Crowther 2019, table 6).

Targets are the primary outcome's contrasts at its horizons under the primary design, diagnostic ones left out.

Rule of choice: the candidate with the smallest RMSE among those that never failed; where Σ (s_r of the protocol's own setting − s_r of that
candidate)/R is at most one standard error of this paired difference, the protocol's own setting.

Assumption: what is best for studies like the simulated ones is best for this one. Their models are estimated with squares and products that the
generator does not know, from the study's own patients, so that confounding is as strong as it looks; over-fitted coefficients make it stronger.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from parallax import simulated
from parallax.analysis.designs import design_alone
from parallax.analysis.effects import analyse
from parallax.errors import GenerationError, NotEstimable, ParallaxError
from parallax.protocol.cohort import Covariates
from parallax.protocol.designs import Design, DesignsSection
from parallax.protocol.generators import Generator, change_settings, list_settings
from parallax.protocol.outcomes import Outcome, OutcomesSection
from parallax.protocol.propensity import PropensitySection
from parallax.protocol.question import Hypothesis
from parallax.protocol.synthesis import SynthesisSection
from parallax.seeds import derive_seed
from parallax.simulation.plasmode import Plasmode
from parallax.synthesis.registry import draw_replicates, fit_procedure
from parallax.tables import TUNING
from parallax.validation.combining import TARGET, combine, take_real, to_analysis_scale
from parallax.vocabulary import DIAGNOSTIC_CONTRASTS

#: the setting that the protocol has
OWN: Final = "as in the protocol"


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a tuning found.

    ``table`` (TUNING), ``chosen`` the name of a candidate and ``settings`` its settings, ``at_sites`` those of sites that have their own;
    ``repetitions`` and ``cpu_seconds`` of the budget used; ``shifts`` has a row per repetition, site, effect, candidate and target.
    """

    table: pd.DataFrame
    shifts: pd.DataFrame
    chosen: str
    settings: Generator
    at_sites: Mapping[str, Generator]
    repetitions: int
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Tried:
    """What a candidate makes of a generator: its ``settings``, and by site those of sites that have their own."""

    settings: Generator
    at_sites: Mapping[str, Generator]

    def at(self, site: str) -> Generator:
        """The settings at a site."""
        return self.at_sites.get(site, self.settings)


def list_candidates(generator: str, synthesis: SynthesisSection) -> dict[str, Tried]:
    """The candidates by name in their order, the protocol's own setting first; one that says the same as another is left out."""
    settings = synthesis.generators[generator]
    own = Tried(settings, {site: here[generator] for site, here in synthesis.at_sites.items() if generator in here})
    allowed = list_settings(settings)
    found = {OWN: own}
    for candidate in synthesis.tuning.candidates:
        if unknown := sorted(set(candidate) - set(allowed)):
            raise GenerationError(
                f"synthesis.tuning.candidates\n    found    {', '.join(unknown)}\n"
                f"    allowed  settings of {settings.method}: {', '.join(sorted(allowed)) or 'none'}\n"
                "    to do    list candidates for the generator that is tuned"
            )
        at_sites = {site: change_settings(here, candidate) for site, here in own.at_sites.items()}
        changed = Tried(change_settings(settings, candidate), at_sites)
        if changed not in found.values():
            found[", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in candidate.items())] = changed
    return found


def model_study(cohort: pd.DataFrame, *, covariates: Covariates, name: str, outcome: Outcome) -> Plasmode:
    """The simulated studies' models, without an effect; raises GenerationError for an outcome that has none."""
    try:
        return simulated.model_study(cohort, covariates=covariates, name=name, outcome=outcome)
    except NotEstimable as error:
        raise GenerationError(
            f"question.primary.outcome: {name}\n    found    an outcome that cannot be simulated: {error}\n"
            "    allowed  for tuning: survival without competing events, binary or continuous\n    to do    keep the generator's settings"
        ) from error


def tune(
    cohorts: Mapping[str, pd.DataFrame],
    generator: str,
    synthesis: SynthesisSection,
    *,
    primary: Hypothesis,
    covariates: Covariates,
    designs: DesignsSection,
    propensity: PropensitySection,
    outcomes: OutcomesSection,
    seed: int,
) -> Tuned:
    """Try the candidates of ``synthesis.tuning`` on studies simulated from each site's cohort (``cohorts`` by site), and choose by the module's
    rule."""
    candidates, tuning = list_candidates(generator, synthesis), synthesis.tuning
    procedure: dict[str, Any] = {"fit": synthesis.fit, "constraints": synthesis.constraints}
    name, outcome = primary.outcome, outcomes[primary.outcome]
    study = design_alone(primary.design, designs, propensity) | {"covariates": covariates, "outcomes": OutcomesSection({name: outcome})}
    models = {site: model_study(cohort, covariates=covariates, name=name, outcome=outcome) for site, cohort in cohorts.items()}
    truths = {
        (site, effect): _truth(simulated.set_effect(model, effect), primary, study["designs"][primary.design])
        for site, model in models.items()
        for effect in tuning.effects
    }
    begun, done, rows = time.process_time(), 0, []
    for repetition in range(tuning.repetitions):
        if done >= 2 and time.process_time() - begun >= tuning.cpu_seconds:
            break
        for site, effect in truths:
            rng = np.random.default_rng([derive_seed(seed, site), repetition])
            patients = tuning.patients or len(cohorts[site])
            plasmode = simulated.set_effect(models[site], effect)
            patients_drawn = simulated.simulate_cohort(plasmode, cohorts[site], covariates=covariates, name=name, patients=patients, rng=rng)
            real = take_real(analyse(patients_drawn, **study, seed=repetition).estimates)
            draws = [derive_seed(seed, site, "draw", repetition, replicate) for replicate in range(tuning.replicates)]
            fits = {replicate: derive_seed(seed, site, "fit", repetition, replicate) for replicate in range(tuning.replicates)}
            procedure |= {"seed": derive_seed(seed, site, "fit", repetition), "refits": fits}
            for candidate, tried in candidates.items():
                labels = {"repetition": repetition, "site": site, "effect": effect, "setting": candidate}
                started = time.process_time()
                found = _try(tried.at(site), patients_drawn, study, procedure, draws=draws)
                labels["cpu_seconds"] = time.process_time() - started
                rows += [labels | shift for shift in _shifts(real, found, primary, truths[site, effect])]
        done += 1
    shifts = pd.DataFrame(rows)
    if shifts.empty:
        raise GenerationError("tune: no estimate of the simulated studies could be made; ask for more patients (synthesis.tuning.patients)")
    table = summarise(shifts, order=list(candidates))
    chosen_name = choose(shifts, order=list(candidates))
    table["chosen"] = table["setting"] == chosen_name
    chosen = candidates[chosen_name]
    return Tuned(TUNING.validate(table), shifts, chosen_name, chosen.settings, chosen.at_sites, done, time.process_time() - begun)


def summarise(shifts: pd.DataFrame, *, order: list[str]) -> pd.DataFrame:
    """A row per candidate over all effects, then one per candidate and effect; ``chosen`` is still open."""
    effects = sorted(shifts["effect"].unique())
    parts = [(np.nan, shifts), *((effect, shifts[shifts["effect"] == effect]) for effect in effects if len(effects) > 1)]
    rows = []
    for effect, part in parts:
        for setting in order:
            of = part[part["setting"] == setting]
            score, primary = _scores(of), of[of["primary"]].groupby("repetition")["shift"].mean()
            rmse = float(np.sqrt(score.mean()))
            rows.append(
                {
                    "setting": setting,
                    "effect": effect,
                    "repetitions": len(score),
                    "bias": float(primary.mean()),
                    "bias_error": float(primary.std() / np.sqrt(len(primary))),
                    "truth_bias": float(of.loc[of["primary"], "from_truth"].mean()),
                    "rmse": rmse,
                    "rmse_error": float(score.std() / np.sqrt(len(score)) / (2 * rmse)) if rmse > 0 else 0.0,
                    "worst": float(of["shift"].abs().max()),
                    "failed": int(of["shift"].isna().sum()),
                    "cpu_seconds": float(of.groupby(["repetition", "site", "effect"])["cpu_seconds"].first().mean()),
                    "chosen": False,
                }
            )
    return pd.DataFrame(rows, columns=list(TUNING.columns))


def choose(shifts: pd.DataFrame, *, order: list[str]) -> str:
    """The candidate that the module's rule takes; the first of ``order`` is the protocol's own."""
    own, sound = order[0], [name for name in order if shifts.loc[shifts["setting"] == name, "shift"].notna().all()]
    if not sound:
        return own
    scores = {name: _scores(shifts[shifts["setting"] == name]) for name in sound}
    best = min(sound, key=lambda name: scores[name].mean())
    if best == own or own not in scores:
        return best
    worse = scores[own] - scores[best]
    return own if worse.mean() <= worse.std() / np.sqrt(len(worse)) else best


def _scores(shifts: pd.DataFrame) -> pd.Series:
    """s_r by repetition."""
    squared: pd.Series = (shifts["shift"] ** 2).groupby(shifts["repetition"]).mean()
    return squared


def _try(
    settings: Generator, patients_drawn: pd.DataFrame, study: Mapping[str, Any], procedure: Mapping[str, Any], *, draws: list[int]
) -> pd.DataFrame | None:
    """The COMBINED table of a candidate's replicates; None where it cannot be fitted or draws nothing that can be analysed."""
    patients = len(patients_drawn)
    try:
        fitted = fit_procedure(settings, patients_drawn, covariates=study["covariates"], outcomes=study["outcomes"], **procedure)
        drawn = draw_replicates(fitted, replicates=len(draws), patients=patients, seeds=draws)
        estimates = analyse(drawn, **study, seed=draws[0]).estimates
    except ParallaxError:
        return None
    return combine(estimates, patients=patients, synthetic=patients).query("rule == 'partial'")


def _shifts(real: pd.DataFrame, found: pd.DataFrame | None, primary: Hypothesis, truth: float) -> list[dict[str, object]]:
    """The shift of every target that could be estimated among the simulated patients; missing where the candidate could not."""
    asked = real[(real["status"] == "ok") & ~real["contrast"].isin(DIAGNOSTIC_CONTRASTS) & (real["std_error"] > 0)]
    by_target = {} if found is None else {_key(row): row for row in found.to_dict("records")}
    rows: list[dict[str, object]] = []
    survival = real["horizon_days"].notna().any()
    for row in asked.to_dict("records"):
        is_primary = _key(row) == primary.target
        if survival and np.isnan(row["horizon_days"]) and not is_primary:
            continue
        drawn = by_target.get(_key(row))
        shift = from_truth = np.nan
        if drawn is not None and drawn["status"] == "ok":
            synthetic, observed = to_analysis_scale([drawn["estimate"], row["estimate"]], str(row["contrast"]))
            shift = (synthetic - observed) / row["std_error"]
            if is_primary and np.isfinite(truth):
                from_truth = (synthetic - truth) / row["std_error"]
        target = {name: row[name] for name in TARGET}
        rows.append(target | {"primary": is_primary, "shift": float(shift), "from_truth": float(from_truth)})
    return rows


def _key(row: Mapping[Any, Any]) -> tuple[Any, ...]:
    return tuple(None if pd.isna(row[name]) else row[name] for name in TARGET)


def _truth(plasmode: Plasmode, primary: Hypothesis, design: Design) -> float:
    """The primary estimate's truth on the analysis scale; missing where it is not known."""
    try:
        return simulated.find_truth(plasmode, primary, design)
    except NotEstimable:
        return float("nan")
