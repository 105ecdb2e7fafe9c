"""Treated patients of a site beside the comparators of a release: who is taken, how many, and what is said of it."""

from __future__ import annotations

import pandas as pd
import pytest

from parallax.errors import CohortError
from parallax.external_control import ExternalControl, assemble_external_control
from parallax.protocol import CohortSection, OutcomesSection
from parallax.protocol.question import PrimaryEstimate
from parallax.reporting.figures.external_control import CONTROL, draw_external_control, summarise_external_control
from parallax.reporting.style import to_standalone_svg

COHORT = CohortSection.of(
    {
        "arms": {"column": "drug", "treated": "yes", "comparator": "no"},
        "eligibility": [
            {"name": "adults", "keep": "age >= 18", "reason": "adults only"},
            {"name": "consenting", "keep": "consent = 1", "reason": "consent is needed"},
        ],
        "covariates": {"numeric": ["age"]},
    }
)
OUTCOMES = OutcomesSection.of({"weight": {"type": "continuous", "value": "kg", "contrasts": ["mean_difference"]}})
#: a single-arm trial: three treated, of whom one did not consent, and a child
OWN = pd.DataFrame(
    {"id": ["a", "b", "c", "d"], "drug": ["yes"] * 4, "age": [30, 40, 50, 17], "consent": [1, 1, 0, 1], "kg": [70.0, 80.0, 90.0, 60.0]}
)
#: two replicates of six: four comparators in the first, five in the second, a child among each
RELEASED = pd.DataFrame(
    {
        "replicate": [0] * 6 + [1] * 6,
        "patient_id": [str(number) for number in range(1, 7)] * 2,
        "drug": ["yes", "no", "no", "no", "yes", "no", "no", "no", "no", "no", "yes", "no"],
        "age": [30, 17, 31, 32, 33, 34, 35, 36, 17, 37, 38, 39],
        "kg": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0],
    }
)


def assemble(learned_from: int | None) -> ExternalControl:
    return assemble_external_control(
        OWN, RELEASED, COHORT, OUTCOMES, patient_id="id", learned_from=learned_from, applied=("consent = 1",)
    )  # fmt: skip


def test_the_same_treated_stand_beside_each_replicates_own_comparators() -> None:
    # seven of nine released comparators are adults: of 3 real ones ⌊3 · 7/9⌋ = 2 are behind them
    made = assemble(3)
    assert (made.treated, made.learned_from, made.comparators) == (2, 2, 2)
    assert made.cohort["replicate"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert made.cohort["patient_id"].tolist() == ["real/a", "real/b", "3", "4", "real/a", "real/b", "1", "2"]
    assert made.cohort["weight_value"].tolist() == [70.0, 80.0, 3.0, 4.0, 70.0, 80.0, 7.0, 8.0]


def test_a_site_with_comparators_of_its_own_is_known_by_them() -> None:
    both = pd.concat([OWN, OWN.tail(1).assign(id="e", drug="no")])
    made = assemble_external_control(both, RELEASED, COHORT, OUTCOMES, patient_id="id", learned_from=3, applied=("consent = 1",))
    assert (assemble(3).compared_here, made.compared_here) == (False, True)
    assert made.plain() == {"treated": 2, "comparators": 2, "learned_from": 2, "compared_here": True}


def test_never_more_comparators_than_the_smallest_replicate_holds() -> None:
    made = assemble(90)
    assert (made.learned_from, made.comparators) == (70, 3)


def test_a_release_that_hides_how_many_it_learned_from_is_refused() -> None:
    with pytest.raises(CohortError, match="too few comparators to say how many"):
        assemble(None)


def test_nobody_treated_is_explained() -> None:
    with pytest.raises(CohortError, match="no patient of the treated arm"):
        assemble_external_control(
            OWN.assign(age=3), RELEASED, COHORT, OUTCOMES, patient_id="id", learned_from=3, applied=("consent = 1",)
        )  # fmt: skip


def test_figure_and_words_say_what_the_control_is() -> None:
    primary = PrimaryEstimate.of({"outcome": "weight", "contrast": "mean_difference", "design": "overlap", "horizon_days": None})
    row = {"site": "clinic", "outcome": "weight", "contrast": "mean_difference", "horizon_days": pd.NA, "design_failure": None}
    ok = {"estimate": 1.5, "lower": 0.5, "upper": 2.5, "status": "ok", "reason": None}
    none = {"estimate": None, "lower": None, "upper": None, "status": "not_estimable", "reason": "an empty arm"}
    table = pd.DataFrame([row | {"design": "overlap"} | ok, row | {"design": "matched"} | none])
    assert "an AI-generated control: mean difference of weight" in summarise_external_control(table, primary, "external_control.csv")
    assert "clinic, design overlap: 1.50 (0.50–2.50)" in summarise_external_control(table, primary, "external_control.csv")
    drawn = to_standalone_svg(draw_external_control(table, primary))
    assert drawn.count(CONTROL) == 2
    assert "synthetic control" not in drawn
    assert "no estimate" in drawn
