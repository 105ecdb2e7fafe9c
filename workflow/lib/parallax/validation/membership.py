"""The membership attack: can someone who holds the synthetic patients tell whose records the generator was fitted to?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.special import ndtri

from parallax.errors import NotEstimable
from parallax.validation.bounds import CONFIDENCE, Bounded, rank_above_quantile, rank_below_quantile, wilson_bound
from parallax.validation.neighbours import find_nearest

#: the share of non-members whom the attack may take for members
FALSE_POSITIVES: Final = 0.01
_DRAWS: Final = 20_000

#: whom a refit is attacked on: those seen, the control and the reference half of those not seen, by position among all patients
People = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Reliance:
    """Whom a number of each of ``patients`` (n,) rests on: the ``nearest`` (n,) reference patient, and the number ``without`` (n,) that one."""

    patients: NDArray[np.int64]
    nearest: NDArray[np.int64]
    without: NDArray[np.float64]

    def among(self, group: NDArray[np.bool_]) -> Self:
        """That of a group of the patients; those whom they rest on need not belong to it."""
        return type(self)(self.patients[group], self.nearest[group], self.without[group])


@dataclass(frozen=True, slots=True)
class Attack:
    """Scores of an attack on one refit made twice, with either half of the hold-out as reference and the other as non-members.

    ``members`` (2, n): both scores of every patient whom the generator saw; ``others``: the scores of the non-members of the first and of
    the second attack. A high score says "member". ``reliance``: of the members and the non-members of the first attack, then of the second,
    whom their scores rest on; empty where there is no reference.
    """

    members: NDArray[np.float64]
    others: tuple[NDArray[np.float64], NDArray[np.float64]]
    reliance: tuple[Reliance, ...] = ()

    def among(self, members: NDArray[np.bool_], others: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> Self:
        """The attack on a group of the patients; NotEstimable where it leaves fewer than two on a side."""
        if min(members.sum(), *(part.sum() for part in others)) < 2:
            raise NotEstimable("fewer than two of them were seen, or kept from the generator")
        groups = (members, others[0], members, others[1])
        reliance = tuple(one.among(group) for one, group in zip(self.reliance, groups, strict=False))
        return type(self)(self.members[:, members], (self.others[0][others[0]], self.others[1][others[1]]), reliance)

    @classmethod
    def joined(cls, attacks: Sequence[Self]) -> Self:
        """The scores of the attacks on all refits as one attack's, with one threshold for all."""
        first, second = (np.concatenate([attack.others[half] for attack in attacks]) for half in (0, 1))
        return cls(np.hstack([attack.members for attack in attacks]), (first, second))


@dataclass(frozen=True, slots=True)
class Distances:
    """Distances to the nearest record: of ``train``, ``control`` and ``reference`` patients to the synthetic ones, and of either attack's members and
    non-members to its reference; ``reliance``, laid out as an attack's, has those to the second nearest."""

    train: NDArray[np.float64]
    control: NDArray[np.float64]
    reference: NDArray[np.float64]
    members: NDArray[np.float64]
    others: tuple[NDArray[np.float64], NDArray[np.float64]]
    reliance: tuple[Reliance, ...]


def measure_distances(records: NDArray[np.float32], people: People, synthetic: NDArray[np.float32]) -> Distances:
    """What both attacks rest on: ``records`` (N, p) of all patients, p coordinates each, and ``synthetic`` (·, p), all replicates, which are
    released together."""
    if min(map(len, people)) < 2 or len(synthetic) == 0:
        raise NotEstimable("the attack needs at least two patients in each part of the split, and synthetic patients")
    train, control, reference = people
    seen, first, second = (find_nearest(records[part], synthetic).distance for part in people)
    near, reliance = [], []
    for patients, half in ((train, reference), (control, reference), (train, control), (reference, control)):
        found = find_nearest(records[patients], records[half])
        near.append(found.distance)
        further = find_nearest(records[patients], records[half], without=found.index)
        reliance.append(Reliance(patients, half[found.index], further.distance))
    return Distances(seen, first, second, np.vstack(near[::2]), (near[1], near[3]), tuple(reliance))


def attack_by_density(distances: Distances) -> Attack:
    """Density-ratio attack by nearest neighbours (van Breugel et al. 2023, DOMIAS, section 4: density of the synthetic over that of the reference).

    Score
        log d(x, reference) − log d(x, synthetic), d the distance to the nearest record: high where the synthetic patients lie closer to x
        than people like x would lie anyway. The distance zero stands for half the smallest distance above zero that was seen, so that a copy
        scores above every near miss, and a record that occurs in the reference too scores nothing for it.
    Assumption
        reference and non-members are disjoint, and the generator saw neither. Control and reference are interchangeable random halves of the
        hold-out, so each serves once as either: this doubles the non-members, who limit what can be said about small error rates.
    """
    near = [distances.members[0], distances.others[0], distances.members[1], distances.others[1]]
    copied = [distances.train, distances.control, distances.train, distances.reference]
    seen = np.concatenate([*near, *copied])
    floor = float(seen[seen > 0].min()) / 2 if (seen > 0).any() else 1.0

    def score(near: NDArray[np.float64], copied: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log(np.maximum(near, floor)) - np.log(np.maximum(copied, floor))

    scores = [score(*pair) for pair in zip(near, copied, strict=True)]
    reliance = tuple(replace(one, without=score(one.without, part)) for one, part in zip(distances.reliance, copied, strict=True))
    return Attack(np.vstack(scores[::2]), (scores[1], scores[3]), reliance)


def attack_by_distance(distances: Distances) -> Attack:
    """Nearest-neighbour attack (Chen et al. 2020, GAN-Leaks, section 4.2, full black box): nearness to a synthetic record.

    Score −d(x, synthetic). It needs no reference, so that both halves of the hold-out are non-members once.
    """
    return Attack(np.vstack([-distances.train, -distances.train]), (-distances.control, -distances.reference))


def share_below(scores: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each score the share of others below it, ties half."""
    ordered = np.sort(others)
    below: NDArray[np.float64] = (np.searchsorted(ordered, scores, side="left") + np.searchsorted(ordered, scores, side="right")) / (2 * len(others))
    return below


def measure_auc(*attacks: Attack) -> Bounded:
    """Area under the ROC curve, the mean over the refits, and of each over its two attacks; ties count half.

    Shapes
        one attack: members and non-members are different people. Several, of patients held out in turn: the members of each attack are the
        non-members of the next, in their order (the last's are the first's), so that everybody has either role once.
    Bounds
        DeLong's variance (DeLong, DeLong and Clarke-Pearson 1988, eq. 4–6) with the patient as the unit: a member's two placement values are
        averaged, and where a patient is a non-member of another attack that placement value is added, so that the variance has the
        covariance of both roles. To it is added what two patients' scores have in common because each is the other's nearest reference
        patient (``_covary``). Normal bounds, kept within [0, 1].
    """
    placed, passed = zip(*map(_place, attacks), strict=True)
    members, others = [part / len(part) for part in placed], [[part / (2 * len(part)) for part in halves] for halves in passed]
    if len(attacks) == 1:
        people = [*members, *others[0]]
    else:
        roles = [(np.split(members[number - 1], [len(halves[0])]), halves) for number, halves in enumerate(others)]
        people = [member + other for both in roles for member, other in zip(*both, strict=True)]
    value = float(np.mean([part.mean() for part in placed]))
    variance = (sum(len(part) * part.var(ddof=1) for part in people) + _covary(attacks)) / len(attacks) ** 2
    margin = float(ndtri(CONFIDENCE) * math.sqrt(variance))
    return Bounded(value, max(0.0, value - margin), min(1.0, value + margin))


def _place(attack: Attack) -> tuple[NDArray[np.float64], tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Placement values: of each member, the mean over both attacks, and of the non-members of either."""
    pairs = list(zip(attack.members, attack.others, strict=True))
    first, second = (1 - share_below(others, scores) for scores, others in pairs)
    return np.vstack([share_below(scores, others) for scores, others in pairs]).mean(axis=0), (first, second)


def _covary(attacks: Sequence[Attack]) -> float:
    """What patients who are each other's reference add to the variance of the sum of the attacks' areas: Σᵢⱼ λᵢⱼ λⱼᵢ.

    λᵢⱼ is what i's part in the sum, his or her centred placement value a(i) over the number of patients in that role, loses if j is left out of
    the reference. Beside what all lose alike it is zero unless j is nearest to i, so that pairs of mutual nearest neighbours are left.

    Assumption
        patients are independent, the synthetic records taken as they are. Given all others, a(i) is zero on average, and so is a₋ⱼ(i), which i
        has with j left out of the reference. Hence E a(i) a₋ᵢ(j) = E a₋ⱼ(i) a(j) = E a₋ⱼ(i) a₋ᵢ(j) = 0, and Cov(a(i), a(j)) =
        E (a(i) − a₋ⱼ(i)) (a(j) − a₋ᵢ(j)), that is E λᵢⱼ λⱼᵢ. The area bounded is the mean of the attacks with the references that they had
        (decision 0069).
    """
    if not any(attack.reliance for attack in attacks):
        return 0.0
    people, nearest, lost = [], [], []
    for attack in attacks:
        (first, second), (others, further) = attack.members, attack.others
        sides = ((first, others, 1), (others, first, -1), (second, further, 1), (further, second, -1))
        for rests, (scores, against, sign) in zip(attack.reliance, sides, strict=True):
            people.append(rests.patients)
            nearest.append(rests.nearest)
            lost.append(sign * (share_below(scores, against) - share_below(rests.without, against)) / (2 * len(scores)))
    rows, columns = np.concatenate(people), np.concatenate(nearest)
    size = int(max(rows.max(), columns.max())) + 1
    told = coo_array((np.concatenate(lost), (rows, columns)), shape=(size, size)).tocsr()
    return float(told.multiply(told.T).sum())


def measure_true_positives(attack: Attack, false_positives: float = FALSE_POSITIVES) -> Bounded:
    """Share of members above the threshold that a share of ``false_positives`` (1 %) of non-members exceed, the mean of the two attacks.

    Value
        the threshold is the lowest score that at most 1 % of the N non-members exceed.
    Bounds
        two uncertainties: where the true 99 % quantile of the non-members lies (few of them are beyond it), and the share of members above a
        known threshold. The first by order statistics: the r-th largest non-member score lies below the true quantile with 95 % confidence,
        r the smallest rank with P(Binomial(N, 0.01) < r) ≥ 0.95, without any assumption on the scores' distribution. The second by Wilson's
        one-sided bound. Both are joined by the square-and-add rule (Zou and Donner 2008, eq. 4; MOVER).
    Assumption
        a member's score tells nothing about the same patient's score as a non-member, where patients are held out in turn. That both are high
        together takes uncertainty off the share; that one is low where the other is high can hardly add any, since both are rare (decision 0062).
    """
    others = np.sort(np.concatenate(attack.others))[::-1]
    size, n = len(others), attack.members.shape[1]
    value = _share_above(attack.members, others[math.floor(false_positives * size)])
    low = rank_below_quantile(size, false_positives)
    high = rank_above_quantile(size, false_positives)
    loose = _share_above(attack.members, others[low - 1]) if low <= size else 1.0
    strict = _share_above(attack.members, others[high - 1]) if high >= 1 else 0.0
    return Bounded(
        value,
        max(0.0, value - math.hypot(value - strict, value - wilson_bound(value, n, upper=False))),
        min(1.0, value + math.hypot(loose - value, wilson_bound(value, n, upper=True) - value)),
    )


def harmless_pass_rate(members: int, others: int, threshold: float) -> float:
    """Chance that a generator that tells nothing passes ``threshold`` with its upper bound on the true positives, for so many patients.

    Members and non-members of such a generator have scores of one distribution, whatever it is, so that the bound depends on ranks alone: the
    shares of people beyond the two non-members' scores that ``measure_true_positives`` looks at are uniform order statistics (Beta; David and
    Nagaraja 2003, section 2.2), the members beyond them binomial given these. Drawn 20,000 times from one stream: the chance is a property of the two
    numbers of patients. A member's two scores are taken for one, and a patient in both roles for two people: the chance is then rather too low.
    """
    first, last = math.floor(FALSE_POSITIVES * others) + 1, rank_below_quantile(others, FALSE_POSITIVES)
    if last > others:
        return 0.0
    rng = np.random.default_rng(0)
    beyond = rng.beta(first, others + 1 - first, _DRAWS)
    further = rng.beta(last - first, others + 1 - last, _DRAWS) if last > first else np.zeros(_DRAWS)
    found = rng.binomial(members, beyond)
    value, loose = found / members, (found + rng.binomial(members - found, further)) / members
    wilson = np.array([wilson_bound(count / members, members, upper=True) for count in range(members + 1)])[found]
    return float((value + np.hypot(loose - value, wilson - value) <= threshold).mean())


def _share_above(scores: NDArray[np.float64], threshold: float) -> float:
    return float((scores > threshold).mean())
