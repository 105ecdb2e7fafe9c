"""A subgroup drawn by rejection, and its own n and k in the combining rule, on few patients."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pandas as pd
import pytest

from parallax.disclosure.combined import disclose_enrichment
from parallax.errors import GenerationError
from parallax.protocol.disclosure import DisclosureSection
from parallax.protocol.enrichment import Enrichment
from parallax.protocol.question import QuestionSection
from parallax.protocol.subgroups import SubgroupsSection
from parallax.synthesis.enrichment import MOST_CANDIDATES, Enriching, draw_subgroups
from parallax.synthesis.generator import select_subgroup
from parallax.tables import COMBINED, ENRICHMENT, PERMUTATIONS, empty_table
from parallax.validation.combining import select_answers
from parallax.validation.subgroups import count_levels
from parallax.validation.summary import Answers, summarise_generator
from validation_tables import OUTCOMES, PRIMARY, combined_row, estimate_rows

ANYTHING = Enrichment(name="old", keep="age >= 90", patients=20)


class Ages:
    """Ages 0, 1, … 99, 0, 1, … whatever was drawn before; remembers how many were asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def draw(self, patients: int, *, rng: np.random.Generator) -> pd.DataFrame:
        first = sum(self.asked)
        self.asked.append(patients)
        return pd.DataFrame({"age": np.arange(first, first + patients, dtype=float) % 100, "treated": np.arange(patients) % 2 == 0})


def draw(keep: str, patients: int) -> tuple[pd.DataFrame, list[int]]:
    generator = Ages()
    return Enriching(generator, keep, "here").draw(patients, rng=np.random.default_rng(1)), generator.asked


def test_one_in_ten_takes_about_ten_candidates_each() -> None:
    drawn, asked = draw("age >= 90", 100)
    # of the first 100, 10 are kept; 90 are wanting, and twice their root for chance: 108.97 / 0.1, rounded up
    assert asked == [100, 1090]
    assert len(drawn) == 100
    assert list(drawn["age"]) == [float(age) for age in range(90, 100)] * 10
    assert list(drawn.index) == list(range(100))


def test_everybody_takes_one_draw() -> None:
    drawn, asked = draw("age >= 0", 30)
    assert asked == [30]
    assert list(drawn["age"]) == [float(age) for age in range(30)]


def test_nobody_is_given_up_at_the_bound() -> None:
    generator = Ages()
    with pytest.raises(GenerationError) as caught:
        Enriching(generator, "age > 100", "synthesis.enrichment[0].keep").draw(50, rng=np.random.default_rng(1))
    assert sum(generator.asked) == MOST_CANDIDATES * 50
    assert str(caught.value) == (
        "synthesis.enrichment[0].keep: found fewer than 50 such patients among 10000 that the generator drew; allowed is a subgroup of at least 1 in "
        "200 of its patients; widen the subgroup, or choose a generator that makes more of them"
    )


def cohort(*ages_by_replicate: list[float]) -> pd.DataFrame:
    parts = []
    for number, ages in enumerate(ages_by_replicate):
        places = range(len(ages))
        columns = {"patient_id": [str(place) for place in places], "age": ages, "treated": [place % 2 == 0 for place in places]}
        parts.append(pd.DataFrame({"replicate": number} | columns))
    return pd.concat(parts, ignore_index=True).astype({"patient_id": "string"})


def test_too_few_real_patients_in_an_arm_are_told_without_their_number() -> None:
    real = cohort([95.0] * 19 + [20.0] * 50)
    with pytest.raises(GenerationError) as caught:
        select_subgroup(real, "age >= 90", where="here")
    assert str(caught.value) == (
        "here: found fewer than 10 real patients in the comparator arm; allowed are 10 or more: of fewer nothing is known that more synthetic ones "
        "could stand for; widen the subgroup"
    )
    assert len(select_subgroup(cohort([95.0] * 20 + [20.0] * 50), "age >= 90", where="here")) == 20


def test_a_subgroup_that_cannot_be_drawn_leaves_the_others() -> None:
    real = cohort([95.0] * 20 + [20.0] * 50)
    entries = (ANYTHING.model_copy(update={"name": "none", "keep": "age > 100"}), ANYTHING)
    drawn, draws = draw_subgroups(Ages(), real, entries, seeds={"none": [1, 2], "old": [3, 4]})
    assert list(draws["status"]) == ["failed", "ok"]
    assert "in the treated and the comparator arm" in draws.loc[0, "reason"]
    assert drawn.groupby(["enrichment", "replicate"]).size().to_dict() == {("old", 0): 20, ("old", 1): 20}
    assert (drawn["age"] >= 90).all()
    nobody, failed = draw_subgroups(Ages(), real, entries[:1], seeds={"none": [1, 2]})
    assert list(nobody.columns) == list(drawn.columns)
    assert (len(nobody), list(failed["status"])) == (0, ["failed"])


def test_the_rule_counts_the_patients_of_each_level() -> None:
    subgroups = SubgroupsSection.of({"age": {"old": "age >= 65", "young": "age < 65"}})
    real, synthetic = cohort([70.0] * 5 + [30.0] * 15), cohort([70.0] * 4 + [30.0] * 16, [70.0] * 8 + [30.0] * 12)
    assert count_levels(synthetic, subgroups) == {("age", "old"): {0: 4, 1: 8}, ("age", "young"): {0: 16, 1: 12}}
    of_levels = pd.concat([estimate_rows([0.2, 0.4], [0.5, 0.3]).assign(subgroup="age", level=level) for level in ("old", "young")])
    answers = Answers(estimate_rows([0.2, 0.4], [0.5, 0.3]), of_levels, empty_table(PERMUTATIONS))
    question = QuestionSection.model_construct(primary=PRIMARY, secondary=(), estimand="ATO")
    found = summarise_generator(
        answers,
        stacked=None,
        real_answers=empty_table(COMBINED),
        real=real,
        synthetic=synthetic,
        fit="single",
        not_estimable=0.0,
        question=question,
        outcomes=OUTCOMES,
        subgroups=subgroups,
    )
    # v = 1/4 and 9/100, b/m = (1/50)/2; everybody: 20 of 20; old: 4 and 8 of 5; young: 16 and 12 of 15
    assert select_answers(found.combined)["std_error"].iloc[0] == pytest.approx(sqrt((0.25 + 0.09) / 2 + 0.01))
    errors = select_answers(found.subgroups).set_index("level")["std_error"]
    assert errors["old"] == pytest.approx(sqrt((0.25 * 4 + 0.09 * 8) / (2 * 5) + 0.01))
    assert errors["young"] == pytest.approx(sqrt((0.25 * 16 + 0.09 * 12) / (2 * 15) + 0.01))


def test_a_real_count_is_hidden_where_it_would_give_away_who_is_outside() -> None:
    target = {"design": "overlap", "outcome": "death", "contrast": "risk_difference", "horizon_days": 30.0}
    whole = combined_row(0.1, 0.1, -0.1, 0.3, rule="none", n_treated=100.0, n_comparator=200.0, events_treated=50.0, events_comparator=60.0, **target)
    inside = {"n_treated": 95.0, "n_comparator": 100.0, "events_treated": 20.0, "events_comparator": 55.0}
    rows = pd.concat([combined_row(0.1, 0.1, -0.1, 0.3, rule=rule, **inside, **target) for rule in ("none", "partial")], ignore_index=True)
    exact = ENRICHMENT.validate(rows.assign(enrichment="old", shift_in_real_se=np.nan)[list(ENRICHMENT.columns)])
    shown = disclose_enrichment(exact, DisclosureSection(minimum_count=10, round_to=5), whole=whole)
    assert shown["n_treated"].isna().tolist() == [True, False]
    assert shown["events_comparator"].isna().tolist() == [True, False]
    assert shown["n_comparator"].tolist() == [100, 100]
    assert shown["events_treated"].tolist() == [20, 20]
