"""Matching against the greedy of its definition, patient by patient, in every cell."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from parallax.statistics.matching import Matching, Order, match_nearest

N = 70
PLAIN, TIED, HEAVILY_TIED = 9, 1, 0


def scores(seed: int, decimals: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=N).round(decimals), rng.random(N) < 0.4, rng.integers(0, 3, N)


def by_definition(
    score: np.ndarray, treated: np.ndarray, stratum: np.ndarray, caliper: float, ratio: int, replace: bool, choosing: list[int], higher: bool
) -> tuple[list[tuple[int, int]], int]:
    """Pairs in order, and how many of them the order of the rows decided."""
    free = set(np.flatnonzero(~treated).tolist())
    pairs: list[tuple[int, int]] = []
    ties = 0

    def candidates(i: int) -> Iterator[int]:
        mine = {match for focal, match in pairs if focal == i}
        return (j for j in free if j not in mine and stratum[j] == stratum[i] and abs(score[j] - score[i]) <= caliper)

    def alike(i: int, j: int) -> bool:
        return bool(score[i] == score[j] and stratum[i] == stratum[j])

    def choose(i: int) -> int | None:
        side = -1 if higher else 1
        return min(candidates(i), key=lambda j: (abs(score[j] - score[i]), side * score[j], j), default=None)

    if replace:
        for i in choosing:
            mine = []
            for _ in range(ratio):
                match = choose(i)
                if match is None:
                    break
                pairs.append((i, match))
                mine.append(match)
            left = list(candidates(i))
            ties += sum(any(alike(match, j) for j in left) for match in mine)
        return pairs, ties
    for _ in range(ratio):
        for place, i in enumerate(choosing):
            match = choose(i)
            if match is None:
                continue
            free.remove(match)
            pairs.append((i, match))
            ties += any(alike(match, j) for j in free) or any(alike(i, j) for j in choosing[place + 1 :])
    return pairs, ties


def in_order(score: np.ndarray, treated: np.ndarray, stratum: np.ndarray, order: Order, seed: int) -> list[int]:
    focal = sorted(np.flatnonzero(treated).tolist(), key=lambda i: (stratum[i], score[i], i))
    if order == "random":
        return [focal[k] for k in np.random.default_rng(seed).permutation(len(focal))]
    side = -1 if order == "descending" else 1
    return sorted(focal, key=lambda i: (side * stratum[i], side * score[i], i))


def assert_record(found: Matching, pairs: list[tuple[int, int]], ties: int, replace: bool) -> None:
    assert list(zip(found.focal.tolist(), found.match.tolist(), strict=True)) == pairs
    assert found.ties_decided_by_row_order == ties
    weights = np.zeros(N)
    focal = list(dict.fromkeys(i for i, _ in pairs))
    for i, j in pairs:
        weights[j] += 1 / sum(one == i for one, _ in pairs)
    matches = {j for _, j in pairs}
    weights *= len(matches) / max(weights.sum(), 1e-300)
    weights[focal] = 1.0
    assert found.weights == pytest.approx(weights, rel=1e-12)
    if replace:
        assert found.matched_set is None
    else:
        sets = np.full(N, -1)
        for i, j in pairs:
            sets[[i, j]] = focal.index(i)
        assert found.matched_set is not None
        assert found.matched_set.tolist() == sets.tolist()


@pytest.mark.parametrize("order", ["descending", "ascending", "random"])
@pytest.mark.parametrize("exact", [False, True], ids=["anyone", "exact"])
@pytest.mark.parametrize("caliper", [None, 0.15], ids=["no caliper", "tight"])
@pytest.mark.parametrize("replace", [False, True], ids=["without replacement", "with replacement"])
@pytest.mark.parametrize("ratio", [1, 2, 3])
def test_every_cell_is_the_greedy_of_its_definition(ratio: int, replace: bool, caliper: float | None, exact: bool, order: Order) -> None:
    for seed in range(4):
        for decimals in (PLAIN, TIED, HEAVILY_TIED):
            score, treated, stratum = scores(seed, decimals)
            strata = stratum if exact else np.zeros(N, dtype=int)
            pairs, ties = by_definition(
                score, treated, strata, np.inf if caliper is None else caliper, ratio, replace,
                in_order(score, treated, strata, order, seed), order != "ascending",
            )  # fmt: skip
            found = match_nearest(
                score, treated, caliper=caliper, ratio=ratio, replace=replace, exact=stratum if exact else None, order=order,
                rng=np.random.default_rng(seed),
            )  # fmt: skip
            assert_record(found, pairs, ties, replace)


@pytest.mark.parametrize("decimals", [PLAIN, HEAVILY_TIED])
def test_a_ratio_without_limit_goes_on_until_nobody_finds_another(decimals: int) -> None:
    score, treated, stratum = scores(1, decimals)
    pairs, ties = by_definition(score, treated, stratum, 0.3, N, False, in_order(score, treated, stratum, "descending", 0), True)
    assert_record(match_nearest(score, treated, caliper=0.3, ratio=None, exact=stratum), pairs, ties, False)
    everyone = match_nearest(score, treated, caliper=None, ratio=None)
    assert everyone.weights.all()


@pytest.mark.parametrize("replace", [False, True])
def test_the_mirror_is_the_other_order(replace: bool) -> None:
    score, treated, _ = scores(2, TIED)
    down = match_nearest(score, treated, caliper=0.4, ratio=2, replace=replace)
    up = match_nearest(-score, treated, caliper=0.4, ratio=2, replace=replace, order="ascending")
    assert down.focal.tolist() == up.focal.tolist()
    assert down.match.tolist() == up.match.tolist()


@pytest.mark.parametrize("replace", [False, True])
def test_strata_are_matchings_of_their_own(replace: bool) -> None:
    score, treated, stratum = scores(3, TIED)
    whole = match_nearest(score, treated, caliper=0.5, ratio=2, replace=replace, exact=stratum)
    found = set(zip(whole.focal.tolist(), whole.match.tolist(), strict=True))
    apart = set()
    for one in range(3):
        rows = np.flatnonzero(stratum == one)
        part = match_nearest(score[rows], treated[rows], caliper=0.5, ratio=2, replace=replace)
        apart |= set(zip(rows[part.focal].tolist(), rows[part.match].tolist(), strict=True))
    assert found == apart


@pytest.mark.parametrize("order", ["descending", "ascending", "random"])
@pytest.mark.parametrize("replace", [False, True])
def test_the_order_of_rows_decides_among_equals_only(order: Order, replace: bool) -> None:
    for seed in range(5):
        score, treated, stratum = scores(seed, HEAVILY_TIED)
        made = []
        for rows in (np.arange(N), np.random.default_rng(99 + seed).permutation(N)):
            found = match_nearest(
                score[rows], treated[rows], caliper=1.0, ratio=2, replace=replace, exact=stratum[rows], order=order, rng=np.random.default_rng(seed)
            )
            made.append((list(zip(score[rows][found.focal], score[rows][found.match], stratum[rows][found.focal], strict=True)), found))
        assert made[0][0] == made[1][0]
        assert made[0][1].ties_decided_by_row_order == made[1][1].ties_decided_by_row_order
