"""Risks beside anonymeter 1.1.0: ``anonymeter_values.py`` made the patients and the values in an environment of its own."""

from __future__ import annotations

import json
from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from parallax.statistics.statements import AT_LEAST, AT_MOST, EQUAL
from parallax.validation import singling_out
from parallax.validation.inference import attack_attribute
from parallax.validation.linkability import attack_links
from parallax.validation.neighbours import RecordSpace
from parallax.validation.risk import Outcome, Trials, measure_risk

FOLDER = Path(__file__).parent
EXPECTED = json.loads((FOLDER / "anonymeter.json").read_text())
PATIENTS = pd.read_csv(FOLDER / "anonymeter.csv", dtype={"c": "string", "d": "string"}, float_precision="round_trip")
PARTS = [PATIENTS[PATIENTS["part"] == name].drop(columns="part").reset_index(drop=True) for name in ("train", "control", "synthetic")]
NUMERIC, CATEGORICAL = ("x", "z", "y"), ("c", "d")
SPACE = RecordSpace.of([pd.concat(PARTS[:2]), PARTS[2]], numeric=NUMERIC, categorical=CATEGORICAL)
TABLES = singling_out.encode_tables(PARTS, numeric=NUMERIC, categorical=CATEGORICAL)
NAMES = NUMERIC + CATEGORICAL


def agrees(outcome: Outcome, expected: dict[str, float]) -> None:
    assert (outcome.seen.successes, outcome.control.successes) == (expected["success"], expected["control"])
    assert outcome.seen.attempts == expected["attacks"]
    found = measure_risk(outcome.seen, outcome.control)
    assert (found.value, found.lower, found.upper) == pytest.approx((expected["risk"], expected["lower"], expected["upper"]), abs=1e-12)


@pytest.mark.parametrize(("attacks", "seen", "unseen", "level", "value", "lower", "upper"), EXPECTED["rates"])
def test_risk(attacks: int, seen: int, unseen: int, level: float, value: float, lower: float, upper: float) -> None:
    found = measure_risk(Trials(seen, attacks), Trials(unseen, attacks), confidence=level)
    assert (found.value, found.lower, found.upper) == pytest.approx((value, lower, upper), abs=1e-12)


@pytest.mark.parametrize(("secret", "number"), [("c", False), ("y", True)])
def test_inference(secret: str, number: bool) -> None:
    train, control, synthetic = (SPACE.place(part) for part in PARTS)
    held = [table[:, NAMES.index(secret)] for table in TABLES]
    outcome = attack_attribute(
        train,
        control,
        synthetic,
        known=SPACE.axes(["x", "d"]),
        secrets=(held[0], held[1], held[2]),
        number=number,
        rng=np.random.default_rng(1),
    )
    agrees(outcome, EXPECTED[f"inference_{secret}"])


def test_linkability() -> None:
    train, control, synthetic = (SPACE.place(part) for part in PARTS)
    sides = (SPACE.axes(["x"]), SPACE.axes(["z", "d"]))
    agrees(attack_links(train, control, synthetic, sides=sides, rng=np.random.default_rng(1)), EXPECTED["linkability"])


def test_singling_out_by_one_column() -> None:
    train, control, synthetic = (singling_out.distinct_records(table) for table in TABLES)
    statements = singling_out.state_univariate(synthetic, len(NUMERIC))
    agrees(singling_out.attack_by_statements(statements, statements, train, control), EXPECTED["univariate"])


def parsed() -> singling_out.Statements:
    """anonymeter's statements on three columns in the form that ours have."""
    operators = {"==": EQUAL, ">=": AT_LEAST, "<=": AT_MOST}
    levels = {name: sorted(PATIENTS[name].unique()) for name in CATEGORICAL}
    rows = [
        [(NAMES.index(name), operators[operator], levels[name].index(value) if name in levels else value) for name, operator, value in predicates]
        for predicates, _, _ in EXPECTED["statements"]
    ]
    made = np.array(rows, dtype=np.float64)
    return singling_out.Statements(made[:, :, 0].astype(np.int64), made[:, :, 1].astype(np.int64), made[:, :, 2])


def test_singling_out_by_the_same_statements() -> None:
    statements = parsed()
    for table, place in ((TABLES[0], 1), (TABLES[1], 2)):
        expected = [entry[place] == 1 for entry in EXPECTED["statements"]]
        assert list(singling_out.hold_once(statements, singling_out.distinct_records(table))) == expected
    assert singling_out.hold_once(statements, singling_out.distinct_records(TABLES[2])).all()


def test_singling_out_by_statements_of_our_own_is_as_strong() -> None:
    asked = len(EXPECTED["statements"])
    ours = singling_out.state_multivariate(singling_out.distinct_records(TABLES[2]), len(NUMERIC), wanted=asked, rng=np.random.default_rng(3))
    share = singling_out.hold_once(ours, TABLES[0]).mean()
    expected = np.mean([entry[1] == 1 for entry in EXPECTED["statements"]])
    # two samples of 60 statements: three standard errors of their difference
    assert abs(share - expected) < 3 * sqrt(2 * expected * (1 - expected) / asked)
