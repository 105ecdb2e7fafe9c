"""Ten patients, selected and described by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from parallax.cohort.characteristics import describe_arms
from parallax.cohort.selection import Selection, select_cohort
from parallax.errors import CohortError
from parallax.protocol import CohortSection, Covariates, OutcomesSection

PATIENTS = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"],
        "drug": ["new", "new", "new", "old", "old", "old", "other", None, "new", "old"],
        "age": [50.0, 60.0, 70.0, 40.0, 50.0, 90.0, 50.0, 50.0, None, 30.0],
        "stage": pd.array([1, 2, None, 1, 1, 2, 1, 1, 2, 2], dtype="Int64"),
        "days": [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 99.0],
        "dead": [1, 0, 1, 0, 1, 0, 1, 0, 1, 0],
    }
)
COHORT = {
    "arms": {"column": "drug", "treated": "new", "comparator": "old"},
    "eligibility": [{"name": "not_too_old", "keep": "age < 80 or age is null", "reason": "the drug is not for the very old"}],
    "covariates": {"numeric": ["age"], "categorical": ["stage"]},
}
OUTCOMES = OutcomesSection.of(
    {"death": {"type": "survival", "days": "days", "event": "dead", "follow_up_days": 100, "horizons_days": [30], "contrasts": ["hazard_ratio"]}}
)


def select(patients: pd.DataFrame = PATIENTS, *, missing: str = "indicator", patient_id: str | None = "id", **changes: object) -> Selection:
    covariates = COHORT["covariates"] | {"missing": missing}  # type: ignore[operator]
    return select_cohort(patients, CohortSection.of(COHORT | {"covariates": covariates} | changes), OUTCOMES, patient_id)


def test_every_step_says_whom_it_left_out() -> None:
    attrition = select(missing="complete_case").attrition
    steps = attrition[["criterion", "excluded", "remaining_treated", "remaining_comparator"]].itertuples(index=False)
    assert [tuple(step) for step in steps] == [
        ("source", 0, 4, 4),
        ("arms", 2, 4, 4),  # g has another drug, h none
        ("not_too_old", 1, 4, 3),  # f
        ("complete_case", 2, 2, 3),  # c has no stage, i no age
    ]


def test_the_excluded_and_the_remaining_add_up_to_the_source() -> None:
    selection = select(missing="complete_case")
    last = selection.attrition.iloc[-1]
    assert selection.attrition["excluded"].sum() + last["remaining_treated"] + last["remaining_comparator"] == len(PATIENTS)
    assert len(selection.cohort) == last["remaining_treated"] + last["remaining_comparator"]


def test_a_patient_whose_eligibility_is_unknown_is_not_kept() -> None:
    strict = [{"name": "not_too_old", "keep": "age < 80", "reason": "the drug is not for the very old"}]
    assert list(select(eligibility=strict).cohort["patient_id"]) == ["a", "b", "c", "d", "e", "j"]


def test_the_cohort_table() -> None:
    cohort = select().cohort
    assert list(cohort.columns) == ["replicate", "patient_id", "treated", "age", "stage", "death_days", "death_event"]
    assert list(cohort["patient_id"]) == ["a", "b", "c", "d", "e", "i", "j"]
    assert list(cohort["treated"]) == [True, True, True, False, False, True, False]
    assert list(cohort["stage"].fillna("?")) == ["1", "2", "?", "1", "1", "2", "2"]
    assert math.isnan(cohort["age"].iloc[5])
    assert list(cohort["death_days"]) == [10, 20, 30, 40, 50, 90, 99]
    assert list(cohort["death_event"]) == [1, 0, 1, 0, 1, 1, 0]


def test_without_an_identifier_the_sources_rows_are_numbered() -> None:
    assert list(select(patient_id=None).cohort["patient_id"]) == ["1", "2", "3", "4", "5", "9", "10"]


@pytest.mark.parametrize(("values", "treated", "comparator"), [([1, 1, 1, 0, 0, 0, 2, None, 1, 0], 1, 0), ([True] * 5 + [False] * 5, True, False)])
def test_arms_may_be_numbers_and_truth_values(values: list[object], treated: object, comparator: object) -> None:
    cohort = select(PATIENTS.assign(drug=values), arms={"column": "drug", "treated": treated, "comparator": comparator}, eligibility=[]).cohort
    assert int(cohort["treated"].sum()) == sum(value == treated for value in values)
    assert int((~cohort["treated"]).sum()) == sum(value == comparator and value is not None for value in values)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"id": ["a", "a", "c", "d", "e", "f", "g", "h", "i", "j"]}, 'column "id" holds an identifier that another row has too for 2 patients'),
        ({"id": ["a", None, "c", "d", "e", "f", "g", "h", "i", "j"]}, 'column "id" holds no identifier for 1 patient'),
        (
            {"days": [0.0, -2.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 99.0]},
            'column "days" holds a follow-up time of zero or less for 2 patients',
        ),
        ({"days": [None, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 99.0]}, 'column "days" holds no follow-up time for 1 patient'),
        ({"days": [101.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 99.0]}, "holds a follow-up time beyond follow_up_days (100) for 1 patient"),
        ({"dead": [2, 0, 1, 0, 1, 0, 1, 0, 1, 0]}, 'column "dead" holds neither 0 nor 1 for 1 patient'),
        ({"dead": [None, 0, 1, 0, 1, 0, 1, 0, 1, 0]}, 'column "dead" holds neither 0 nor 1 for 1 patient'),
        ({"dead": ["yes"] * 10}, 'columns "days" and "dead" must hold numbers'),
        ({"drug": ["new"] * 10}, 'no patient of the comparator arm ("old") is left after step "source"'),
        ({"age": [50, 60, 70, 90, 90, 90, 50, 50, 50, 90]}, 'no patient of the comparator arm ("old") is left after step "not_too_old"'),
        ({"age": [float("nan")] * 10}, 'covariate "age" is missing for every patient'),
        ({"age": [float("-inf")] + [50.0] * 9}, 'numeric covariate "age" is infinite for 1 patient'),
        ({"stage": ["(missing)"] + ["1"] * 9}, 'categorical covariate "stage" has a level "(missing)"'),
    ],
)
def test_a_cohort_that_cannot_be_studied_is_explained(changes: dict[str, list[object]], expected: str) -> None:
    with pytest.raises(CohortError) as caught:
        select(PATIENTS.assign(**changes))
    assert expected in str(caught.value)


def test_all_faults_of_a_cohort_come_in_one_message_without_a_patients_value() -> None:
    with pytest.raises(CohortError) as caught:
        select(PATIENTS.assign(days=[-77.0] * 10, dead=[8] * 10, id=["secret"] * 10))
    message = str(caught.value)
    assert message.count("\n  - ") == 3
    assert not any(value in message for value in ("-77", "8", "secret"))


def test_a_patient_who_is_not_selected_may_have_faulty_follow_up() -> None:
    days = PATIENTS["days"].mask(PATIENTS["drug"] == "other", -1.0)
    assert len(select(PATIENTS.assign(days=days)).cohort) == 7


def test_a_constant_covariate_is_left_to_the_designs() -> None:
    assert select(PATIENTS.assign(age=50.0)).cohort["age"].eq(50).all()


def test_table_one() -> None:
    # treated a b c i: ages 50 60 70 –, stages 1 2 – 2; comparator d e j: ages 40 50 30, stages 1 1 2
    table = describe_arms(select().cohort, Covariates(numeric=("age",), categorical=("stage",))).set_index(["covariate", "level", "kind", "arm"])
    age = table.xs(("age", "numeric"), level=("covariate", "kind")).droplevel("level")
    assert list(age["n"]) == [3, 3]
    assert list(age["mean"]) == [60, 40]
    assert list(age["standard_deviation"]) == [10, 10]
    assert list(age["smd"]) == [2, 2]  # (60 − 40) / √((10² + 10²) / 2)
    second = table.xs(("stage", "2", "categorical"), level=("covariate", "level", "kind"))
    assert list(second["count"]) == [2, 1]
    assert list(second["n"]) == [3, 3]
    assert list(second["smd"]) == pytest.approx([1 / 3 / math.sqrt(second_variance()), 1 / 3 / math.sqrt(second_variance())])
    missing = table.xs(("age", "missing"), level=("covariate", "kind")).droplevel("level")
    assert list(missing["count"]) == [1, 0]
    assert list(missing["n"]) == [4, 3]


def second_variance() -> float:
    """Mean of the two arms' variances of the indicator of stage 2 (0, 1, 1 and 0, 0, 1), over n − 1: each 1/3."""
    return (1 / 3 + 1 / 3) / 2


def test_a_covariate_known_in_one_arm_only_has_no_standardised_difference() -> None:
    cohort = pd.DataFrame({"treated": [True, True, False, False], "dose": [1.0, 2.0, math.nan, math.nan], "age": [1.0, 2.0, 3.0, 5.0]})
    table = describe_arms(cohort, Covariates(numeric=("dose", "age")))
    numeric = table[table["kind"] == "numeric"].set_index("covariate")["smd"]
    assert numeric["dose"].isna().all()
    assert numeric["age"].notna().all()
