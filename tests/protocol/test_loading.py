from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from parallax.errors import ProtocolError
from parallax.extraction.preflight import check_sources
from parallax.protocol import Protocol, SynthesisSection
from parallax.protocol.loading import read_protocol, resolve_study

REPOSITORY = Path(__file__).parents[2]
STUDIES = REPOSITORY / "config" / "studies"


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_of_the_repository_fits_its_data(path: Path) -> None:
    protocol = read_protocol(path)
    check_sources(protocol, folder=path.parent)
    assert protocol.study.name == path.stem


def test_rhc_adjusts_for_all_52_covariates_once() -> None:
    names = read_protocol(STUDIES / "rhc.yaml").cohort.covariates.names
    assert len(names) == len(set(names)) == 52


def test_a_study_is_found_by_name_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_study("rhc", STUDIES) == STUDIES / "rhc.yaml"
    own = tmp_path / "own.yaml"
    own.write_text("study: {}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert resolve_study("./own.yaml", STUDIES) == resolve_study(str(own), STUDIES) == own.resolve()


@pytest.mark.parametrize(("study", "expected"), [("rch", 'did you mean "rhc"?'), ("none/such.yaml", 'no file "none/such.yaml"')])
def test_an_unknown_study_is_explained(study: str, expected: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        resolve_study(study, STUDIES)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "an empty file"),
        (b"- a\n- b\n", "no sections"),
        (b"study: \xff\n", "a byte that is not UTF-8"),
        (b"study: \x07\n", "control characters are not allowed"),
        (b"study: !!python/object:os.system {}\n", "could not determine a constructor"),
        (b"study: 1\n---\nstudy: 2\n", "another document"),
    ],
)
def test_a_file_that_is_no_protocol_is_explained(content: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(ProtocolError) as caught:
        read_protocol(path)
    assert expected in str(caught.value)


def test_a_study_named_by_a_number_is_explained() -> None:
    with pytest.raises(ProtocolError, match='no study named "2024"'):
        resolve_study(str(2024), STUDIES)


def test_a_missing_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="a file that cannot be read"):
        read_protocol(tmp_path / "none.yaml")


def test_sections_survive_the_way_through_a_rules_params() -> None:
    protocol = read_protocol(STUDIES / "rhc.yaml")
    for name in Protocol.model_fields:
        section = getattr(protocol, name)
        assert type(section).of(section.plain()) == section


def test_the_digest_knows_every_setting_and_no_formatting(tmp_path: Path) -> None:
    text = (STUDIES / "gbsg.yaml").read_text(encoding="utf-8")
    spelled_out, changed = tmp_path / "a.yaml", tmp_path / "b.yaml"
    default = SynthesisSection.model_fields["replicates"].default
    spelled_out.write_text("# a comment\n" + text.replace(f"replicates: {default}\n", f"replicates:   {default}  # the default\n"), encoding="utf-8")
    changed.write_text(text.replace("seed: 20260102", "seed: 20260103"), encoding="utf-8")
    original = read_protocol(STUDIES / "gbsg.yaml").digest
    assert read_protocol(spelled_out).digest == original
    assert read_protocol(changed).digest != original


def test_reading_a_protocol_is_light() -> None:
    code = "import sys, parallax.protocol.loading; sys.exit(bool({'pandas', 'numpy', 'duckdb'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(REPOSITORY / "workflow" / "lib")}, check=True)
