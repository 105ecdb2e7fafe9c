"""Privacy: does the generator, refitted to part of the real patients, give away whom it saw?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self

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
from parallax.validation.copies import bound_excess, find_copied
from parallax.validation.disclosure_f1 import measure_f1
from parallax.validation.inference import attack_attribute
from parallax.validation.judging import judge_auc, judge_excess, judge_positives, judge_risk
from parallax.validation.linkability import attack_links
from parallax.validation.membership import attack_by_density, attack_by_distance, measure_auc, measure_distances, measure_true_positives
from parallax.validation.metrics import METRICS, NOT_INFORMATIVE, SHADOWED, metric_row
from parallax.validation.neighbours import RecordSpace, find_distance_ratios
from parallax.validation.quasi_identifiers import coarsen, find_replicated_uniques, measure_anonymity
from parallax.validation.records import RecordColumns, Secret
from parallax.validation.risk import Outcome, measure_risk
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


@dataclass(frozen=True, slots=True)
class Attacked:
    """The real patients, those whom the generator saw and those whom it did not (by position), and what it drew; with their coordinates."""

    real: pd.DataFrame
    synthetic: pd.DataFrame
    columns: RecordColumns
    space: RecordSpace
    records: NDArray[np.float32]
    drawn: NDArray[np.float32]
    train: NDArray[np.int64]
    control: NDArray[np.int64]
    reference: NDArray[np.int64]

    @classmethod
    def of(cls, real: pd.DataFrame, split: pd.DataFrame, synthetic: pd.DataFrame, columns: RecordColumns) -> Self:
        """Place all records in one space; NotEstimable where nobody was seen, nobody kept, or nothing drawn."""
        if len(synthetic) == 0:
            raise NotEstimable("no synthetic patients")
        part = real[["patient_id"]].merge(split, on="patient_id", how="left", validate="one_to_one")["part"].to_numpy()
        train, control, reference = (np.flatnonzero(part == name) for name in ("train", "control", "reference"))
        if min(len(train), len(control) + len(reference)) == 0:
            raise NotEstimable("the split has no train patients or no hold-out patients")
        space = RecordSpace.of([real, synthetic], numeric=columns.numeric, categorical=columns.categorical)
        return cls(real, synthetic, columns, space, space.place(real), space.place(synthetic), train, control, reference)

    @property
    def hold_out(self) -> NDArray[np.int64]:
        """The patients whom the generator did not see."""
        return np.concatenate([self.control, self.reference])

    def replicates(self) -> list[NDArray[np.int64]]:
        """The positions of each replicate's records."""
        number = self.synthetic["replicate"].to_numpy()
        return [np.flatnonzero(number == replicate) for replicate in np.unique(number)]


def measure_privacy(
    real: pd.DataFrame,
    split: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    covariates: Covariates,
    outcomes: OutcomesSection,
    gates: Gates,
    rng: np.random.Generator,
    privacy: PrivacySection | None = None,
    shadows: Sequence[pd.DataFrame] = (),
) -> pd.DataFrame:
    """The PRIVACY table of a generator, one row per metric.

    ``real`` and ``synthetic`` are cohort tables, ``split`` (SPLIT) names the part of each real patient: the generator behind ``synthetic``
    saw ``train`` only. A record is a patient's arm, covariates and outcomes. All replicates are attacked together, since together they are
    released. What is tested is the procedure (a generator fitted to ``train``), not the very draw that would be released. ``rng`` picks
    whom a costly attack is made on, and the attackers' guesses. ``shadows`` are the tables of the shadow models (SHADOW), where there are any.
    """
    stated = PrivacySection() if privacy is None else privacy
    columns = RecordColumns.of(covariates, outcomes)
    try:
        attacked = Attacked.of(real, split, synthetic, columns)
    except NotEstimable as error:
        return _frame([*(_unmeasured(name, gates, str(error)) for name in _METRICS), *attack_by_shadows(shadows, gates)])
    rows: list[Row] = []
    attacks: tuple[Callable[[], list[Row]], ...] = (
        lambda: _copies(attacked, covariates, gates),
        lambda: _membership(attacked, stated, gates, rng),
        lambda: attack_by_shadows(shadows, gates),
        lambda: _singling_out(attacked, gates, rng),
        lambda: _links(attacked, stated, gates, rng),
        lambda: _inference(attacked, stated, columns.secrets(stated.sensitive, outcomes), gates, rng),
        lambda: _quasi_identifiers(attacked, stated, columns.secrets(stated.sensitive, outcomes), gates),
        lambda: _similarity(attacked, rng),
    )
    for attack in attacks:
        rows += attack()
    return _frame(rows)


def _copies(attacked: Attacked, covariates: Covariates, gates: Gates) -> list[Row]:
    kinds = {"numeric": attacked.columns.numeric, "categorical": attacked.columns.categorical}
    alike = {"numeric": covariates.numeric, "categorical": covariates.categorical}
    copied, same_covariates = (find_copied(attacked.real, attacked.synthetic, **kind) for kind in (kinds, alike))
    seen, unseen = copied[attacked.train], copied[attacked.hold_out]
    rows = [
        metric_row("copies_of_train", float(seen.mean())),
        metric_row("copies_of_hold_out", float(unseen.mean())),
        judge_excess("excess_copies", seen, unseen, gates),
        judge_excess("excess_copied_covariates", same_covariates[attacked.train], same_covariates[attacked.hold_out], gates),
    ]
    for name, group in _groups(attacked).items():
        inside = [part[group[part]] for part in (attacked.train, attacked.hold_out)]
        rows.append(judge_excess(f"excess_copied_{name}", copied[inside[0]], copied[inside[1]], gates))
    return rows


def _membership(attacked: Attacked, stated: PrivacySection, gates: Gates, rng: np.random.Generator) -> list[Row]:
    train, control, reference = (_sample(part, _MEMBERS, rng) for part in (attacked.train, attacked.control, attacked.reference))
    names = [name for name in _METRICS if METRICS[name].gate in _OF_MEMBERSHIP or name in _REPORTED_OF_MEMBERSHIP]
    try:
        distances = measure_distances(attacked.records[train], attacked.records[control], attacked.records[reference], attacked.drawn)
    except NotEstimable as error:
        return [_unmeasured(name, gates, str(error)) for name in names]
    density, nearest = attack_by_density(distances), attack_by_distance(distances)
    rarely = measure_true_positives(density, 0.001)
    share = stated.member_share or len(attacked.train) / (len(attacked.train) + len(attacked.hold_out))
    disclosed = measure_f1(distances.train, np.concatenate([distances.control, distances.reference]), member_share=share)
    rows = [
        judge_auc("membership_auc", measure_auc(density), len(attacked.hold_out), gates),
        judge_positives("membership_tpr_at_1pct_fpr", density, gates),
        metric_row("membership_tpr_at_01pct_fpr", rarely.value, lower=rarely.lower, upper=rarely.upper),
        judge_auc("nearest_auc", measure_auc(nearest), len(attacked.hold_out), gates),
        judge_positives("nearest_tpr_at_1pct_fpr", nearest, gates),
        metric_row("membership_f1", disclosed.f1),
        metric_row("naive_f1", disclosed.naive),
        metric_row("relative_f1", disclosed.relative),
    ]
    for name, group in zip(("outlier", "rare"), _groups(attacked).values(), strict=True):
        try:
            among = density.among(group[train], (group[control], group[reference]))
        except NotEstimable as error:
            rows.append(_unmeasured(f"{name}_auc", gates, f"{NOT_INFORMATIVE}{error}"))
            continue
        hold_out = sum(len(part) for part in among.others)
        rows.append(judge_auc(f"{name}_auc", measure_auc(among), hold_out, gates, vital=False))
    return rows


def _singling_out(attacked: Attacked, gates: Gates, rng: np.random.Generator) -> list[Row]:
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
    rows = []
    for name, made, width in (("univariate", univariate, 1), ("multivariate", multivariate, singling_out.COLUMNS)):
        statements = singling_out.join(made)
        if len(statements) == 0:
            rows.append(_unmeasured(f"singling_out_{name}", gates, f"{NOT_INFORMATIVE}nothing holds for one synthetic record alone"))
            continue
        guesses = singling_out.state_at_random(synthetic, numeric, wanted=len(statements), width=width, rng=rng)
        outcome = singling_out.attack_by_statements(statements, guesses, real[seen], real[unseen])
        rows.append(judge_risk(f"singling_out_{name}", outcome, len(attacked.hold_out), gates))
    return rows


def _links(attacked: Attacked, stated: PrivacySection, gates: Gates, rng: np.random.Generator) -> list[Row]:
    """One data set holds the quasi-identifiers and the other all else; where none are stated, either holds every other column."""
    columns = attacked.columns.names
    first = stated.quasi_identifiers or columns[::2]
    sides = (attacked.space.axes(first), attacked.space.axes([name for name in columns if name not in first]))
    seen, unseen = (_sample(part, _TARGETS, rng) for part in (attacked.train, attacked.hold_out))
    outcome = attack_links(attacked.records[seen], attacked.records[unseen], attacked.drawn, sides=sides, rng=rng)
    return [judge_risk("linkability", outcome, len(unseen), gates)]


def _inference(attacked: Attacked, stated: PrivacySection, secrets: Sequence[Secret], gates: Gates, rng: np.random.Generator) -> list[Row]:
    """The sensitive column that is inferred best, known all other columns, and known the quasi-identifiers."""
    seen, unseen = (_sample(part, _TARGETS, rng) for part in (attacked.train, attacked.hold_out))
    rows = []
    for name, known in (("inference", attacked.columns.names), ("inference_from_quasi_identifiers", stated.quasi_identifiers)):
        if not known:
            rows.append(_unmeasured(name, gates, f"{NOT_INFORMATIVE}the protocol states no quasi-identifiers"))
            continue
        found: list[tuple[Outcome, str]] = []
        for secret in secrets:
            hidden = [column for column in known if column not in secret.hidden]
            kinds = {"numeric": [secret.column], "categorical": []} if secret.number else {"numeric": [], "categorical": [secret.column]}
            real, synthetic = (table[:, 0] for table in singling_out.encode_tables([attacked.real, attacked.synthetic], **kinds))
            outcome = attack_attribute(
                attacked.records[seen],
                attacked.records[unseen],
                attacked.drawn,
                known=attacked.space.axes(hidden),
                secrets=(real[seen], real[unseen], synthetic),
                number=secret.number,
                rng=rng,
            )
            found.append((outcome, secret.name))
        telling = [entry for entry in found if entry[0].beats_guessing] or found
        worst, which = max(telling, key=lambda entry: measure_risk(entry[0].seen, entry[0].control).upper)
        rows.append(judge_risk(name, worst, len(unseen), gates, note=f"of {which}" if len(secrets) > 1 else None))
    return rows


def _quasi_identifiers(attacked: Attacked, stated: PrivacySection, secrets: Sequence[Secret], gates: Gates) -> list[Row]:
    if not stated.quasi_identifiers:
        reason = f"{NOT_INFORMATIVE}the protocol states no quasi-identifiers"
        return [_unmeasured(name, gates, reason) for name in ("excess_replicated_uniques", "k_anonymity", "l_diversity")]
    numeric = attacked.columns.numeric
    real, synthetic = (
        coarsen(frame, stated.quasi_identifiers, widths=stated.widths, numeric=numeric) for frame in (attacked.real, attacked.synthetic)
    )
    replicates = attacked.replicates()
    unique, replicated = find_replicated_uniques(real, [synthetic[rows] for rows in replicates])
    seen, unseen = (replicated[part[unique[part]]] for part in (attacked.train, attacked.hold_out))
    sensitive = [coarsen(attacked.synthetic, [secret.column], widths={}, numeric=numeric) for secret in secrets]
    found = measure_anonymity([synthetic[rows] for rows in replicates], [[values[rows] for rows in replicates] for values in sensitive])
    return [
        _replicated(seen, unseen),
        metric_row("k_anonymity", found.k),
        metric_row("l_diversity", found.l),
    ]


def _replicated(seen: NDArray[np.bool_], unseen: NDArray[np.bool_]) -> Row:
    if min(len(seen), len(unseen)) == 0:
        reason = f"{NOT_INFORMATIVE}nobody who is unique was seen, or none kept from the generator"
        return metric_row("excess_replicated_uniques", math.nan, reason=reason)
    found = bound_excess(float(seen.mean()), len(seen), float(unseen.mean()), len(unseen))
    return metric_row("excess_replicated_uniques", found.value, lower=found.lower, upper=found.upper)


def _similarity(attacked: Attacked, rng: np.random.Generator) -> list[Row]:
    seen, unseen = (attacked.records[part] for part in _even_sides(attacked, rng, most=_MEMBERS))
    drawn = attacked.drawn[_sample(np.arange(len(attacked.drawn)), _COMPARED, rng)]
    closeness = measure_closeness(seen, unseen, drawn)
    rows = [metric_row("closest_to_train", closeness.value, lower=closeness.lower, upper=closeness.upper)]
    few = drawn[:_MEMBERS]
    for name, side in (("nndr_to_train", seen), ("nndr_to_hold_out", unseen)):
        if len(side) < 2:
            rows.append(metric_row(name, np.nan, reason="fewer than two patients"))
        else:
            rows.append(metric_row(name, float(np.median(find_distance_ratios(few, side)))))
    return rows


def _groups(attacked: Attacked) -> dict[str, NDArray[np.bool_]]:
    """The groups that are attacked by themselves, over all real patients."""
    return {"outliers": find_outliers(attacked.records), "rare": find_rare(attacked.real, attacked.columns.categorical)}


def _even_sides(attacked: Attacked, rng: np.random.Generator, most: int = _MEMBERS) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """As many patients seen as not seen."""
    size = min(len(attacked.train), len(attacked.hold_out), most)
    return _sample(attacked.train, size, rng), _sample(attacked.hold_out, size, rng)


def _sample(rows: NDArray[np.int64], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rows if len(rows) <= most else np.sort(rng.permutation(rows)[:most])


def _unmeasured(name: str, gates: Gates, reason: str) -> Row:
    return metric_row(name, np.nan, threshold=METRICS[name].threshold(gates), reason=reason)


def _frame(rows: list[Row]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(PRIVACY.columns))
    return PRIVACY.validate(frame.set_index("metric").loc[[name for name in METRICS if name in set(frame["metric"])]].reset_index())
