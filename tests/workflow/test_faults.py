"""What a user did wrong is told in words, before the first job."""

from __future__ import annotations

from pathlib import Path

import pytest

from workflow.conftest import Study, changed


def test_a_fault_of_the_protocol_is_told_before_the_first_job(fresh: Study) -> None:
    fresh.write_protocol(changed(synthesis={"generators": {"real": {"method": "sequential"}}}))
    done = fresh.run()
    assert done.returncode != 0
    assert "synthesis.generators.real" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (fresh.folder / "results").exists()


def test_a_missing_arm_is_told_before_the_first_job(fresh: Study) -> None:
    protocol = changed(cohort={"arms": {"column": "drug", "treated": "maybe", "comparator": "no"}})
    protocol["data"]["sites"]["clinic"]["columns"]["drug"].pop("levels")
    fresh.write_protocol(protocol)
    done = fresh.run()
    assert done.returncode != 0
    assert "cohort.arms.treated" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (fresh.results / "patients/clinic/source/patients.parquet").exists()


def test_a_broken_row_is_named_by_file_line_and_column_never_by_value(fresh: Study) -> None:
    source = fresh.folder / "patients.csv"
    lines = source.read_text().splitlines()
    fields = lines[20].split(",")
    fields[2] = "sEcReT"
    lines[20] = ",".join(fields)
    source.write_text("\n".join(lines) + "\n")
    done = fresh.run()
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "patients.csv" in said
    assert "line 21" in said
    assert "age" in said
    assert "sEcReT" not in said
    assert "Traceback" not in said
    logs = "".join(path.read_text() for path in (fresh.folder / "results").rglob("*.log")) if (fresh.folder / "results").exists() else ""
    assert "sEcReT" not in logs


@pytest.mark.parametrize("number", ["many", "2.5", "0", "-1"])
def test_a_number_of_batches_that_is_none_is_told_in_words(fresh: Study, number: str) -> None:
    done = fresh.run("certify", "--dry-run", options=(f"batches={number}",))
    assert done.returncode != 0
    assert f"--config batches={number}\n    found    {number}\n    allowed  a whole number of at least 1" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_an_unwritable_results_folder_is_told_in_words(fresh: Study) -> None:
    (fresh.folder / "results").write_text("a file in the folder's place")
    done = fresh.run()
    assert done.returncode != 0
    assert "results" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_file_in_the_place_of_the_studys_results_is_told_in_words(fresh: Study) -> None:
    (fresh.folder / "results").mkdir()
    fresh.results.write_text("a file in the folder's place")
    done = fresh.run()
    assert done.returncode != 0
    assert "which is not a folder that can be written" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_closed_folder_is_no_link(fresh: Study, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    fresh.results.mkdir(parents=True)
    (fresh.results / "patients").symlink_to(elsewhere)
    done = fresh.run()
    assert done.returncode != 0
    assert "results/tiny/patients\n    found    a link" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert elsewhere.stat().st_mode & 0o777 == 0o755
    assert not list(elsewhere.iterdir())
