"""The register of protocols, line by line, and the seal of a blinded study."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from parallax.errors import Sealed, StorageError
from parallax.protocol.loading import read_protocol
from parallax.protocol.protocol import Protocol
from parallax.storage import read_text, write_text
from parallax.validation.blinding import check_seal
from parallax.validation.registration import TRACES_OF_EFFECTS, Registration, describe_registration, read_register, register_protocol

STUDY = Path(__file__).parents[2] / "config" / "studies" / "gbsg.yaml"


def protocol_with(gap: float) -> Protocol:
    protocol = read_protocol(STUDY)
    gates = protocol.validation.gates.model_copy(update={"km_gap": gap})
    return protocol.model_copy(update={"validation": protocol.validation.model_copy(update={"gates": gates})})


def registered(*attempts: tuple[float, bool]) -> str:
    register = ""
    for gap, known in attempts:
        register = register_protocol(
            register, protocol_with(gap), effects_known=known, registered="2026-01-01T00:00:00+00:00", parallax="0.1.0", commit=None
        )
    return register


def test_a_line_holds_the_protocol_and_the_digest_of_the_line_before() -> None:
    first, second = registered((0.03, False), (0.05, True)).splitlines(keepends=True)
    assert json.loads(first)["previous"] is None
    assert json.loads(second)["previous"] == hashlib.sha256(first.encode()).hexdigest()
    assert json.loads(second)["protocol"] == protocol_with(0.05).plain()
    assert [json.loads(line)["attempt"] for line in (first, second)] == [1, 2]


def test_the_same_protocol_again_is_no_attempt() -> None:
    assert registered((0.03, False), (0.03, True)) == registered((0.03, False))


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ([(0.03, False)], Registration(1, before_effects=True, changed=())),
        ([(0.03, False), (0.05, False)], Registration(2, before_effects=True, changed=())),
        ([(0.03, True)], Registration(1, before_effects=False, changed=())),
        ([(0.03, False), (0.05, True)], Registration(2, before_effects=False, changed=("validation.gates.km_gap",))),
        ([(0.03, False), (0.05, True), (0.03, True)], Registration(3, before_effects=True, changed=())),
        # the tables are gone, what they said is not
        ([(0.03, False), (0.05, True), (0.06, False)], Registration(3, before_effects=False, changed=("validation.gates.km_gap",))),
        ([(0.03, True), (0.05, False)], Registration(2, before_effects=False, changed=())),
    ],
)
def test_what_the_register_says_of_the_last_protocol(attempts: list[tuple[float, bool]], expected: Registration) -> None:
    assert describe_registration(registered(*attempts)) == expected


def test_effects_once_known_stay_known() -> None:
    entries = read_register(registered((0.03, False), (0.05, True), (0.06, False), (0.07, False)))
    assert [entry.effects_known for entry in entries] == [False, True, True, True]


def forgetful(*attempts: tuple[float, bool]) -> str:
    """A register as an older version wrote it: every entry says what lay in the folder just then."""
    lines: list[str] = []
    for entry, (_, known) in zip(read_register(registered(*attempts)), attempts, strict=True):
        previous = hashlib.sha256(lines[-1].encode()).hexdigest() if lines else None
        lines.append(replace(entry, effects_known=known, previous=previous).line())
    return "".join(lines)


def test_an_older_register_that_forgot_is_read_as_one_that_did_not() -> None:
    register = forgetful((0.03, False), (0.05, True), (0.06, False))
    assert [entry.effects_known for entry in read_register(register)] == [False, True, False]
    assert describe_registration(register) == Registration(3, before_effects=False, changed=("validation.gates.km_gap",))
    # the third is no early protocol, neither for itself nor as the one that a later is held against
    again = register_protocol(register, protocol_with(0.05), effects_known=False, registered="2026-01-02", parallax="0.1.0", commit=None)
    assert again.startswith(register)
    assert read_register(again)[-1].effects_known
    assert describe_registration(again) == Registration(4, before_effects=False, changed=("validation.gates.km_gap",))
    assert describe_registration(forgetful((0.03, True), (0.05, False))) == Registration(2, before_effects=False, changed=())


@pytest.mark.parametrize(
    ("file", "telling"),
    [
        ("exact/clinic/real/estimates.parquet", True),
        ("exact/clinic/sequential/estimates.parquet", True),
        ("exact/clinic/external_control/estimates.parquet", True),
        ("exact/clinic/sequential/enrichment.parquet", True),
        ("exact/clinic/floor/shifts.parquet", True),
        ("exact/pooled/real/individual.parquet", True),
        ("exact/clinic/sequential/twin_averages.parquet", True),
        ("patients/clinic/sequential/twin_curves.parquet", True),
        ("aggregates/clinic/real/combined.parquet", True),
        ("estimates.csv", True),
        ("twins.csv", True),
        ("report.html", True),
        ("benchmarks/estimate_effects/clinic/real.tsv", True),
        # before the seal, or of stated effects
        ("exact/clinic/real/overlap.parquet", False),
        ("exact/clinic/real/balance.parquet", False),
        ("exact/clinic/sequential/fits/1-of-1.parquet", False),
        ("exact/clinic/sequential/privacy.parquet", False),
        ("exact/clinic/certification/rates.parquet", False),
        ("exact/pooled/real/site_overlap.parquet", False),
        ("patients/clinic/sequential/cohort.parquet", False),
        ("certification.csv", False),
        ("tuning.json", False),
        ("logs/estimate_effects/clinic/real.log", False),
        ("benchmarks/fit_generator/clinic/sequential/1-of-1.tsv", False),
        ("registration.jsonl", False),
    ],
)
def test_what_in_a_folder_tells_of_effects(tmp_path: Path, file: str, telling: bool) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).touch()
    assert any(any(tmp_path.glob(pattern)) for pattern in TRACES_OF_EFFECTS) is telling


# what str.splitlines takes for the end of a line, and what a JSON text writes as an escape
@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c", "\r", "\n", "\r\n"])
def test_a_protocol_may_hold_any_end_of_line(tmp_path: Path, character: str) -> None:
    protocol = protocol_with(0.03)
    titled = protocol.model_copy(update={"study": protocol.study.model_copy(update={"title": f"A{character}B"})})
    late = {"effects_known": True, "registered": "2026-01-02T00:00:00+00:00", "parallax": "0.1.0", "commit": None}
    register = register_protocol(register_protocol("", titled, **late), protocol, **late)
    write_text(tmp_path / "registration.jsonl", register)
    first, _ = read_register(read_text(tmp_path / "registration.jsonl"))
    assert first.protocol["study"]["title"] == f"A{character}B"


def test_levels_accepted_for_a_release_are_no_late_change() -> None:
    protocol = protocol_with(0.03)
    accepting = protocol.model_copy(update={"data": protocol.data.model_copy(update={"rare_levels": {"gbsg": ("grade",)}})})
    late = {"effects_known": True, "registered": "2026-01-02T00:00:00+00:00", "parallax": "0.1.0", "commit": None}
    assert describe_registration(register_protocol(registered((0.03, False)), accepting, **late)) == Registration(2, before_effects=True, changed=())
    told = describe_registration(register_protocol(registered((0.05, False)), accepting, **late))
    assert told == Registration(2, before_effects=False, changed=("validation.gates.km_gap",))


def test_keys_that_came_and_went_are_named_themselves() -> None:
    old = protocol_with(0.03)
    generators = {name: settings for name, settings in old.synthesis.generators.items() if name != "sequential"}
    new = old.model_copy(update={"synthesis": old.synthesis.model_copy(update={"generators": generators})})
    register = registered((0.03, False))
    register = register_protocol(register, new, effects_known=True, registered="2026-01-02T00:00:00+00:00", parallax="0.1.0", commit="abc")
    assert describe_registration(register).changed == ("synthesis.generators.sequential",)


@pytest.mark.parametrize(
    "alter",
    [
        lambda lines: lines[1:],
        lambda lines: [lines[0].replace("0.03", "0.3", 1), *lines[1:]],
        lambda lines: [lines[0].replace('"effects_known":true', '"effects_known":false'), *lines[1:]],
        lambda lines: [lines[1], lines[0], lines[2]],
        lambda lines: [lines[0], lines[2]],
        lambda lines: [*lines[:2], lines[2][:100]],
        lambda lines: ["\n", *lines],
        lambda lines: ["[1]\n", *lines],
    ],
)
def test_an_altered_register_is_refused(alter) -> None:  # type: ignore[no-untyped-def]
    lines = registered((0.03, True), (0.05, True), (0.06, True)).splitlines(keepends=True)
    with pytest.raises(StorageError, match=r"registration\.jsonl\n    found    line [123]"):
        read_register("".join(alter(lines)))


def test_an_empty_register_says_nothing() -> None:
    assert read_register("") == ()
    with pytest.raises(StorageError, match="an empty register"):
        describe_registration("")


def overlap(**row: object) -> pd.DataFrame:
    return pd.DataFrame([{"design": "crude", "status": "ok", "failure": "not balanced"}, {"design": "overlap", "status": "ok", **row}]).reindex(
        columns=["design", "status", "failure", "reason"]
    )


def test_a_sound_primary_design_breaks_the_seal() -> None:
    check_seal(overlap(), design="overlap")


@pytest.mark.parametrize("row", [{"failure": "not balanced: largest SMD 0.32, allowed is 0.1"}, {"status": "not_estimable", "reason": "no overlap"}])
def test_effects_stay_sealed_under_a_failed_primary_design(row: dict[str, object]) -> None:
    with pytest.raises(Sealed, match=r"designs\.overlap\n    found    among the real patients: (not balanced|no overlap)"):
        check_seal(overlap(**row), design="overlap")
