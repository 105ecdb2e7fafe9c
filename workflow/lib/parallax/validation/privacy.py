"""Privacy: does the generator, refitted to part of the real patients, give away whom it saw?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.errors import NotEstimable
from parallax.protocol.cohort import Covariates
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.privacy import PrivacySection
from parallax.protocol.validation import Gates
from parallax.tables import PRIVACY
from parallax.validation import singling_out
from parallax.validation.attacked import Attacked, Rounds, count_kept, in_both_roles
from parallax.validation.bounds import Bounded
from parallax.validation.copies import bound_excess, find_copied
from parallax.validation.disclosure_f1 import measure_f1
from parallax.validation.inference import attack_attribute
from parallax.validation.judging import judge_auc, judge_excess, judge_positives, judge_risk, judge_worst_risk
from parallax.validation.linkability import attack_links
from parallax.validation.membership import (
    Attack,
    People,
    attack_by_density,
    attack_by_distance,
    measure_auc,
    measure_distances,
    measure_true_positives,
)
from parallax.validation.metrics import METRICS, NOT_INFORMATIVE, SHADOWED, metric_row
from parallax.validation.neighbours import find_distance_ratios
from parallax.validation.quasi_identifiers import coarsen, find_replicated_uniques, measure_anonymity
from parallax.validation.records import RecordColumns, Secret
from parallax.validation.risk import Outcome
from parallax.validation.shadow_attack import attack_by_shadows
from parallax.validation.similarity import measure_closeness
from parallax.validation.vulnerable import find_outliers, find_rare

Row = dict[str, object]
_METRICS: Final = tuple(metric.name for metric in METRICS.values() if metric.table == "privacy" and metric.name not in SHADOWED)
_OF_MEMBERSHIP: Final = ("membership_auc_upper", "membership_tpr_at_1pct_fpr_upper", "vulnerable_auc_upper")
_REPORTED_OF_MEMBERSHIP: Final = ("membership_tpr_at_01pct_fpr", "membership_f1", "naive_f1", "relative_f1")
#: more patients of a part are not attacked for membership, more of a side not for the other risks; more synthetic records are not compared
_MEMBERS: Final = 5_000
_TARGETS: Final = 2_000
_COMPARED: Final = 50_000


def measure_privacy(
    real: pd.DataFrame,
    split: pd.DataFrame,
    synthetic: Sequence[pd.DataFrame],
    *,
    covariates: Covariates,
    outcomes: OutcomesSection,
    gates: Gates,
    rng: np.random.Generator,
    privacy: PrivacySection | None = None,
    shadows: Sequence[pd.DataFrame] = (),
) -> pd.DataFrame:
    """The PRIVACY table of a generator, one row per metric.

    ``real`` and each of ``synthetic`` are cohort tables, ``split`` (SPLIT) names the part of each real patient in each round: the generator
    behind that round's ``synthetic`` saw ``train`` only. A record is a patient's arm, covariates and outcomes. All replicates are attacked
    together, since together they are released. What is tested is the procedure (a generator fitted to ``train``), not the very draw that
    would be released. Several rounds hold every patient out once, and what was found in all of them is judged together. ``rng`` picks whom a
    costly attack is made on, and the attackers' guesses. ``shadows`` are the tables of the shadow models (SHADOW), where there are any.
    """
    stated = PrivacySection() if privacy is None else privacy
    columns = RecordColumns.of(covariates, outcomes)
    try:
        rounds = Attacked.each(real, split, synthetic, columns)
    except NotEstimable as error:
        return _frame([*(_unmeasured(name, gates, str(error)) for name in _METRICS), *attack_by_shadows(shadows, gates)])
    rows: list[Row] = []
    attacks: tuple[Callable[[], list[Row]], ...] = (
        lambda: _copies(rounds, covariates, gates),
        lambda: _membership(rounds, stated, gates, rng),
        lambda: attack_by_shadows(shadows, gates),
        lambda: _singling_out(rounds, gates, rng),
        lambda: _links(rounds, stated, gates, rng),
        lambda: _inference(rounds, stated, columns.secrets(stated.sensitive, outcomes), gates, rng),
        lambda: _quasi_identifiers(rounds, stated, columns.secrets(stated.sensitive, outcomes), gates),
        lambda: _similarity(rounds, rng),
    )
    for attack in attacks:
        rows += attack()
    return _frame(rows)


def _copies(rounds: Rounds, covariates: Covariates, gates: Gates) -> list[Row]:
    columns = rounds[0].columns
    kinds = {"numeric": columns.numeric, "categorical": columns.categorical}
    alike = {"numeric": covariates.numeric, "categorical": covariates.categorical}
    seen, unseen = in_both_roles(rounds, [find_copied(one.real, one.synthetic, **kinds) for one in rounds])
    same_covariates = in_both_roles(rounds, [find_copied(one.real, one.synthetic, **alike) for one in rounds])
    rows = [
        metric_row("copies_of_train", float(seen.mean())),
        metric_row("copies_of_hold_out", float(unseen.mean())),
        judge_excess("excess_copies", seen, unseen, gates),
        judge_excess("excess_copied_covariates", *same_covariates, gates),
    ]
    for name, group in _groups(rounds).items():
        among_seen, among_unseen = in_both_roles(rounds, [group] * len(rounds))
        rows.append(judge_excess(f"excess_copied_{name}", seen[among_seen], unseen[among_unseen], gates))
    return rows


def _membership(rounds: Rounds, stated: PrivacySection, gates: Gates, rng: np.random.Generator) -> list[Row]:
    names = [name for name in _METRICS if METRICS[name].gate in _OF_MEMBERSHIP or name in _REPORTED_OF_MEMBERSHIP]
    people = _members_and_others(rounds, rng)
    try:
        distances = [measure_distances(one.records, parts, one.drawn) for one, parts in zip(rounds, people, strict=True)]
    except NotEstimable as error:
        return [_unmeasured(name, gates, str(error)) for name in names]
    density, nearest = [attack_by_density(found) for found in distances], [attack_by_distance(found) for found in distances]
    rarely = measure_true_positives(Attack.joined(density), 0.001)
    seen = np.concatenate([found.train for found in distances])
    unseen = np.concatenate([part for found in distances for part in (found.control, found.reference)])
    rows = [
        judge_auc("membership_auc", measure_auc(*density), count_kept(rounds), gates),
        judge_positives("membership_tpr_at_1pct_fpr", Attack.joined(density), gates),
        metric_row("membership_tpr_at_01pct_fpr", rarely.value, lower=rarely.lower, upper=rarely.upper),
        judge_auc("nearest_auc", measure_auc(*nearest), count_kept(rounds), gates),
        judge_positives("nearest_tpr_at_1pct_fpr", Attack.joined(nearest), gates),
        *_f1_scores(seen, unseen, stated.member_share),
    ]
    for name, group in zip(("outlier", "rare"), _groups(rounds).values(), strict=True):
        try:
            among = [attack.among(group[seen], (group[first], group[second])) for attack, (seen, first, second) in zip(density, people, strict=True)]
        except NotEstimable as error:
            rows.append(_unmeasured(f"{name}_auc", gates, f"{NOT_INFORMATIVE}{error}"))
            continue
        hold_out = sum(len(part) for attack in among for part in attack.others)
        rows.append(judge_auc(f"{name}_auc", measure_auc(*among), hold_out, gates, vital=False))
    return rows


def _members_and_others(rounds: Rounds, rng: np.random.Generator) -> list[People]:
    """By round who is attacked as seen, as control and as reference; of patients held out in turn the same ones in either role."""
    kept = [(_sample(one.control, _MEMBERS, rng), _sample(one.reference, _MEMBERS, rng)) for one in rounds]
    if len(rounds) == 1:
        return [(_sample(rounds[0].seen, _MEMBERS, rng), *kept[0])]
    return [(np.concatenate(following), *halves) for following, halves in zip([*kept[1:], kept[0]], kept, strict=True)]


def _f1_scores(seen: NDArray[np.float64], unseen: NDArray[np.float64], member_share: float | None) -> list[Row]:
    """At the share of most attack sets, four fifths, naming everybody is nearly right, and a copier of half of the patients gains nothing on it."""
    names = ("membership_f1", "naive_f1", "relative_f1")
    if member_share is None:
        return [metric_row(name, math.nan, reason=f"{NOT_INFORMATIVE}the protocol states no privacy.member_share") for name in names]
    found = measure_f1(seen, unseen, member_share=member_share)
    return [metric_row(name, value) for name, value in zip(names, (found.f1, found.naive, found.relative), strict=True)]


def _singling_out(rounds: Rounds, gates: Gates, rng: np.random.Generator) -> list[Row]:
    found = [_single_out(one, rng) for one in rounds]
    rows = []
    for name in found[0]:
        outcomes = [outcome for of_round in found if (outcome := of_round[name]) is not None]
        if outcomes:
            rows.append(judge_risk(f"singling_out_{name}", Outcome.joined(outcomes), count_kept(rounds), gates))
        else:
            rows.append(_unmeasured(f"singling_out_{name}", gates, f"{NOT_INFORMATIVE}nothing holds for one synthetic record alone"))
    return rows


def _single_out(attacked: Attacked, rng: np.random.Generator) -> dict[str, Outcome | None]:
    """By kind of statement how the attack on one refit went; None where there is no statement."""
    columns = attacked.columns
    kinds = {"numeric": columns.numeric, "categorical": columns.categorical}
    real, synthetic = singling_out.encode_tables([attacked.real, attacked.synthetic], **kinds)
    seen, unseen = _even_sides(attacked, rng)
    replicates = [singling_out.distinct_records(synthetic[rows]) for rows in attacked.replicates()]
    # not many more statements than patients: they would hit the same ones again and only seem to add certainty
    wanted, numeric = -(-min(_TARGETS, 2 * len(seen)) // len(replicates)), len(columns.numeric)
    univariate = [singling_out.state_univariate(table, numeric) for table in replicates]
    univariate = [statements.pick(_sample(np.arange(len(statements)), wanted, rng)) for statements in univariate]
    multivariate = [singling_out.state_multivariate(table, numeric, wanted=wanted, rng=rng) for table in replicates]
    outcomes: dict[str, Outcome | None] = {}
    for name, made, width in (("univariate", univariate, 1), ("multivariate", multivariate, singling_out.COLUMNS)):
        statements = singling_out.join(made)
        if len(statements) == 0:
            outcomes[name] = None
            continue
        guesses = singling_out.state_at_random(synthetic, numeric, wanted=len(statements), width=width, rng=rng)
        outcomes[name] = singling_out.attack_by_statements(statements, guesses, real[seen], real[unseen])
    return outcomes


def _links(rounds: Rounds, stated: PrivacySection, gates: Gates, rng: np.random.Generator) -> list[Row]:
    """One data set holds the quasi-identifiers and the other all else; where none are stated, either holds every other column."""
    columns = rounds[0].columns.names
    first = stated.quasi_identifiers or columns[::2]
    sides = (rounds[0].space.axes(first), rounds[0].space.axes([name for name in columns if name not in first]))
    outcomes = []
    for one in rounds:
        seen, unseen = (_sample(part, _TARGETS, rng) for part in (one.seen, one.hold_out))
        outcomes.append(attack_links(one.records[seen], one.records[unseen], one.drawn, sides=sides, rng=rng))
    outcome = Outcome.joined(outcomes)
    return [judge_risk("linkability", outcome, outcome.control.attempts, gates)]


def _inference(rounds: Rounds, stated: PrivacySection, secrets: Sequence[Secret], gates: Gates, rng: np.random.Generator) -> list[Row]:
    """The sensitive column whose inference is worst, known all other columns, and known the quasi-identifiers: no column hides behind another."""
    sides = [tuple(_sample(part, _TARGETS, rng) for part in (one.seen, one.hold_out)) for one in rounds]
    rows = []
    for name, known in (("inference", rounds[0].columns.names), ("inference_from_quasi_identifiers", stated.quasi_identifiers)):
        if not known:
            rows.append(_unmeasured(name, gates, f"{NOT_INFORMATIVE}the protocol states no quasi-identifiers"))
            continue
        found: list[tuple[Outcome, str]] = []
        for secret in secrets:
            hidden = [column for column in known if column not in secret.hidden]
            kinds = {"numeric": [secret.column], "categorical": []} if secret.number else {"numeric": [], "categorical": [secret.column]}
            outcomes = []
            for one, (seen, unseen) in zip(rounds, sides, strict=True):
                real, synthetic = (table[:, 0] for table in singling_out.encode_tables([one.real, one.synthetic], **kinds))
                outcome = attack_attribute(
                    one.records[seen],
                    one.records[unseen],
                    one.drawn,
                    known=one.space.axes(hidden),
                    secrets=(real[seen], real[unseen], synthetic),
                    number=secret.number,
                    rng=rng,
                )
                outcomes.append(outcome)
            found.append((Outcome.joined(outcomes), secret.name))
        telling = [entry for entry in found if entry[0].beats_guessing] or found
        rows.append(judge_worst_risk(name, {which: outcome for outcome, which in telling}, gates))
    return rows


def _quasi_identifiers(rounds: Rounds, stated: PrivacySection, secrets: Sequence[Secret], gates: Gates) -> list[Row]:
    if not stated.quasi_identifiers:
        reason = f"{NOT_INFORMATIVE}the protocol states no quasi-identifiers"
        return [_unmeasured(name, gates, reason) for name in ("excess_replicated_uniques", "k_anonymity", "l_diversity")]
    numeric = rounds[0].columns.numeric
    uniques, anonymity = [], []
    for one in rounds:
        real, synthetic = (coarsen(frame, stated.quasi_identifiers, widths=stated.widths, numeric=numeric) for frame in (one.real, one.synthetic))
        replicates = one.replicates()
        uniques.append(find_replicated_uniques(real, [synthetic[rows] for rows in replicates]))
        sensitive = [coarsen(one.synthetic, [secret.column], widths={}, numeric=numeric) for secret in secrets]
        anonymity.append(measure_anonymity([synthetic[rows] for rows in replicates], [[values[rows] for rows in replicates] for values in sensitive]))
    of_unique, replicated = (in_both_roles(rounds, found) for found in zip(*uniques, strict=True))
    return [
        _replicated(*(found[among] for found, among in zip(replicated, of_unique, strict=True))),
        metric_row("k_anonymity", min(found.k for found in anonymity)),
        metric_row("l_diversity", min(found.l for found in anonymity)),
    ]


def _replicated(seen: NDArray[np.bool_], unseen: NDArray[np.bool_]) -> Row:
    if min(len(seen), len(unseen)) == 0:
        reason = f"{NOT_INFORMATIVE}nobody who is unique was seen, or none kept from the generator"
        return metric_row("excess_replicated_uniques", math.nan, reason=reason)
    found = bound_excess(float(seen.mean()), len(seen), float(unseen.mean()), len(unseen))
    return metric_row("excess_replicated_uniques", found.value, lower=found.lower, upper=found.upper)


def _similarity(rounds: Rounds, rng: np.random.Generator) -> list[Row]:
    closeness: list[Bounded] = []
    ratios: dict[str, list[NDArray[np.float64]]] = {"nndr_to_train": [], "nndr_to_hold_out": []}
    for one in rounds:
        seen, unseen = (one.records[part] for part in _even_sides(one, rng, most=_MEMBERS))
        drawn = one.drawn[_sample(np.arange(len(one.drawn)), _COMPARED, rng)]
        closeness.append(measure_closeness(seen, unseen, drawn))
        for found, side in zip(ratios.values(), (seen, unseen), strict=True):
            found += [find_distance_ratios(drawn[:_MEMBERS], side)] if len(side) > 1 else []
    # means of bounds hold however much the rounds have in common
    value, lower, upper = (float(np.mean([getattr(found, name) for found in closeness])) for name in ("value", "lower", "upper"))
    rows = [metric_row("closest_to_train", value, lower=lower, upper=upper)]
    for name, of_rounds in ratios.items():
        ratio, reason = (float(np.median(np.concatenate(of_rounds))), None) if of_rounds else (math.nan, "fewer than two patients")
        rows.append(metric_row(name, ratio, reason=reason))
    return rows


def _groups(rounds: Rounds) -> dict[str, NDArray[np.bool_]]:
    """The groups that are attacked by themselves, over all real patients."""
    one = rounds[0]
    return {"outliers": find_outliers(one.records), "rare": find_rare(one.real, one.columns.categorical)}


def _even_sides(attacked: Attacked, rng: np.random.Generator, most: int = _MEMBERS) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """As many patients seen as not seen."""
    size = min(len(attacked.seen), len(attacked.hold_out), most)
    return _sample(attacked.seen, size, rng), _sample(attacked.hold_out, size, rng)


def _sample(rows: NDArray[np.int64], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rows if len(rows) <= most else np.sort(rng.permutation(rows)[:most])


def _unmeasured(name: str, gates: Gates, reason: str) -> Row:
    return metric_row(name, np.nan, threshold=METRICS[name].threshold(gates), reason=reason)


def _frame(rows: list[Row]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(PRIVACY.columns))
    return PRIVACY.validate(frame.set_index("metric").loc[[name for name in METRICS if name in set(frame["metric"])]].reset_index())
