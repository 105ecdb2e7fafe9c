"""What the long table of a synthetic cohort promises, whichever generator drew the cohort; and what a file of measurements must be."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from parallax.cohort.measurements import add_summaries, keep_measurements
from parallax.cohort.selection import select_cohort
from parallax.errors import GenerationError, SourceError
from parallax.extraction.measurements import read_measurements
from parallax.measurements import select_measurements, summarise_measurements
from parallax.protocol.cohort import CohortSection
from parallax.protocol.data import DataSection, FileSource
from parallax.protocol.generators import parse_generator
from parallax.synthesis.measurements import FittedMeasurements, draw_measurements
from parallax.synthesis.registry import draw_replicates, fit_generator
from parallax.tables import MEASUREMENTS
from parallax.validation.series_fidelity import measure_series
from simulated_measurements import COHORT, OUTCOMES, as_source_rows, simulate_wearables

GENERATORS = {"sequential": {}, "independent": {}, "cart": {}}
#: a folder with the tables of an OMOP database as CSV files, such as a small one of Synthea's
OMOP = Path(os.environ.get("PARALLAX_OMOP_CSV", "")) / "MEASUREMENT.csv"


@dataclass(frozen=True)
class Case:
    cohort: pd.DataFrame
    measurements: pd.DataFrame
    fitted: FittedMeasurements


@pytest.fixture(scope="module")
def case() -> Case:
    people, file = simulate_wearables(300, rng=np.random.default_rng(11))
    rows = as_source_rows(file)
    cohort = select_cohort(add_summaries(people, rows, COHORT, patient_id="id"), COHORT, OUTCOMES, "id").cohort
    measurements, _ = keep_measurements(rows, cohort, COHORT)
    return Case(cohort, measurements, FittedMeasurements.fit(measurements, cohort, COHORT))


@pytest.fixture(scope="module")
def synthetic(case: Case) -> Mapping[str, pd.DataFrame]:
    drawn = {}
    for method, settings in GENERATORS.items():
        fitted = fit_generator(parse_generator({"method": method} | settings), case.cohort, covariates=COHORT.covariates, outcomes=OUTCOMES, seed=1)
        drawn[method] = draw_replicates(fitted, replicates=2, patients=len(case.cohort), seeds=[1, 2])
    return drawn


@pytest.mark.parametrize("method", GENERATORS)
def test_the_long_table_of_any_generator(method: str, case: Case, synthetic: Mapping[str, pd.DataFrame]) -> None:
    cohort = synthetic[method]
    table = draw_measurements(case.fitted, cohort, seeds=[5, 6])
    MEASUREMENTS.validate(table)
    keys = ["replicate", "patient_id"]
    assert pd.MultiIndex.from_frame(table[keys]).isin(pd.MultiIndex.from_frame(cohort[keys])).all()
    assert not table.duplicated([*keys, "name", "time_days"]).any()
    for name, entry in COHORT.measurements.items():
        own, real = (frame[frame["name"] == name] for frame in (table, case.measurements))
        assert own["time_days"].between(*entry.window_days).all()
        assert own["value"].between(real["value"].min(), real["value"].max()).all()
    steps = table[table["name"] == "steps"]
    assert (steps["time_days"] % 1 == 0).all()
    assert (steps["value"] % 1 == 0).all()


def test_summaries_of_real_covariates_come_back(case: Case) -> None:
    """Covariates that some series has, as the real ones are, are the summaries of the series drawn for them."""
    drawn = case.fitted.draw(case.cohort, rng=np.random.default_rng(8))
    found = summarise_measurements(drawn, case.cohort, COHORT)
    for column in found:
        assert (found[column].isna() == case.cohort[column].isna()).all(), column
        near = (found[column] - case.cohort[column]).abs() <= 0.05 * case.cohort[column].std()
        assert near[found[column].notna()].mean() > 0.98, column


def test_no_real_series_is_handed_on(case: Case) -> None:
    drawn = case.fitted.draw(case.cohort, rng=np.random.default_rng(8))
    found = measure_series((case.cohort, case.measurements), (case.cohort, drawn), COHORT, rng=np.random.default_rng(1))
    assert (found.loc[found["metric"] == "series_copies", "value"] == 0).all()
    copied = measure_series((case.cohort, case.measurements), (case.cohort, case.measurements), COHORT, rng=np.random.default_rng(1))
    assert (copied.loc[copied["metric"] == "series_copies", "value"] == 1).all()
    same = ["series_number_ks", "series_interval_ks", "series_value_ks", "series_autocorrelation_gap", "series_summary_miss"]
    assert (copied.loc[copied["metric"].isin(same), "value"] == 0).all()


def test_nobody_has_values_whose_summaries_are_missing(case: Case) -> None:
    nothing = [column for column in COHORT.summaries if column != "steps_count"]
    patients = case.cohort.assign(**dict.fromkeys(nothing, np.nan), steps_count=0.0)
    assert case.fitted.draw(patients, rng=np.random.default_rng(1)).empty


def test_same_seed_same_bits_whatever_was_drawn_before(case: Case, synthetic: Mapping[str, pd.DataFrame]) -> None:
    cohort = synthetic["sequential"]
    both = draw_measurements(case.fitted, cohort, seeds=[5, 6])
    pd.testing.assert_frame_equal(both, draw_measurements(case.fitted, cohort, seeds=[5, 6]), check_exact=True)
    second = cohort[cohort["replicate"] == 1]
    alone = draw_measurements(case.fitted, second, seeds=[99, 6])
    pd.testing.assert_frame_equal(both[both["replicate"] == 1].reset_index(drop=True), alone, check_exact=True)


def test_another_process_draws_the_same_bits(case: Case, synthetic: Mapping[str, pd.DataFrame], tmp_path: Path) -> None:
    (tmp_path / "case.pkl").write_bytes(pickle.dumps((case.measurements, case.cohort, synthetic["sequential"], COHORT)))
    program = (
        "import pickle, sys; from parallax.synthesis.measurements import FittedMeasurements, draw_measurements\n"
        "measurements, cohort, drawn, section = pickle.load(open(sys.argv[1] + '/case.pkl', 'rb'))\n"
        "table = draw_measurements(FittedMeasurements.fit(measurements, cohort, section), drawn, seeds=[5, 6])\n"
        "table.to_parquet(sys.argv[1] + '/table.parquet')"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, env=environment)
    here = draw_measurements(case.fitted, synthetic["sequential"], seeds=[5, 6])
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "table.parquet"), here, check_exact=True)


def test_replicates_are_uncorrelated(case: Case) -> None:
    """Two replicates of the same covariates differ by their deviations alone, and these have nothing to do with each other."""
    drawn = [case.fitted.draw(case.cohort, rng=np.random.default_rng(seed)) for seed in (1, 2)]
    series = [table[table["name"] == "steps"].set_index(["patient_id", "time_days"])["value"] for table in drawn]
    both = pd.concat(series, axis=1, join="inner", keys=["one", "other"]).reset_index()
    line = case.cohort.set_index("patient_id").loc[both["patient_id"], ["steps_mean", "steps_slope"]].to_numpy()
    expected = line[:, 0] + np.nan_to_num(line[:, 1]) * (both["time_days"].to_numpy() + 7.5)
    correlation = np.corrcoef(both["one"] - expected, both["other"] - expected)[0, 1]
    # both keep the patient's mean and slope on nearly the same days; beside that, chance: 5 standard errors of independent patients
    assert abs(correlation) < 5 / np.sqrt(both["patient_id"].nunique())


def test_an_arm_without_series_cannot_be_learnt_from(case: Case) -> None:
    treated = case.cohort.loc[case.cohort["treated"], "patient_id"]
    with pytest.raises(GenerationError, match='measurement "steps": found fewer than 10 patients with a value in the treated arm'):
        FittedMeasurements.fit(case.measurements[~case.measurements["patient_id"].isin(treated)], case.cohort, COHORT)


def test_a_generator_without_patients_is_measured_with_its_reason(case: Case) -> None:
    empty = case.cohort.head(0), case.measurements.head(0)
    found = measure_series((case.cohort, case.measurements), empty, COHORT, rng=np.random.default_rng(1), failure="it crashed")
    of_generator = ~found["metric"].str.startswith("half_split_")
    assert found.loc[of_generator, "value"].isna().all()
    assert (found.loc[of_generator, "reason"] == "it crashed").all()


GOOD = pd.DataFrame(
    [("1", -1.0, "steps", 100.0, "steps/day"), ("1", -2.5, "1988-5", None, "mg/L"), ("2", 0.0, "height", 1.8, "m")],
    columns=["patient", "day", "what", "number", "unit"],
)


def source_of(folder: Path, file: pd.DataFrame, *, suffix: str = "csv", unit: str | None = "unit") -> FileSource:
    path = folder / f"measurements.{suffix}"
    file.to_csv(path, index=False) if suffix == "csv" else file.to_parquet(path, index=False)
    named = {"path": path.name, "patient_id": "patient", "time_days": "day", "name": "what", "value": "number", "unit": unit}
    site = {"source": "file", "path": "patients.csv", "patient_id": "id", "columns": {"id": {"type": "integer"}}, "measurements": named}
    source = DataSection.of({"sites": {"site": site}}).sites["site"]
    assert isinstance(source, FileSource)
    return source


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_is_read_by_the_protocols_names(tmp_path: Path, suffix: str) -> None:
    file = GOOD.astype({"patient": int})
    found = read_measurements(source_of(tmp_path, file, suffix=suffix), COHORT.measurements, folder=tmp_path, minimum_count=1)
    assert found["patient_id"].tolist() == ["1", "1"]
    assert found["name"].tolist() == ["steps", "crp"]
    assert found["value"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": [np.inf, None, 1.8]}, 'line 2, column "number": expected a finite number'),
        ({"day": [None, -2.5, 0.0]}, 'line 2, column "day": expected a number, not a missing value'),
        ({"patient": [None, "1", "2"]}, 'line 2, column "patient": expected a whole number, not a missing value'),
        ({"number": ["secret", "5", "6"]}, 'line 2, column "number": expected a number'),
        ({"what": ["step", "1988-5", "height"]}, 'nothing measured is called "steps": did you mean "step"?'),
        ({"unit": ["steps/day", "mg/dL", "m"]}, 'measurement "crp": 1 rows in another unit than "mg/L"'),
    ],
)
def test_a_faulty_file_is_told_by_its_place_and_never_by_its_values(tmp_path: Path, change: dict, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        read_measurements(source_of(tmp_path, GOOD.assign(**change)), COHORT.measurements, folder=tmp_path, minimum_count=1)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("patients", "message"),
    [
        (["1", "1", "1"], "no name in the file belongs to 3 patients or more, so none is shown"),
        (["1", "2", "3"], 'did you mean "stepping"?'),
    ],
)
def test_a_name_that_few_patients_have_is_never_shown(tmp_path: Path, patients: list[str], message: str) -> None:
    """Many rows of one patient are one patient; "step of Mr Smith" is nearer to "steps" than anything, and has one row."""
    rows = [(patient, -1.0, "stepping", 1.0, "steps/day") for patient in patients] + [("4", -1.0, "step Smith", 1.0, "steps/day")]
    file = pd.DataFrame(rows, columns=GOOD.columns)
    with pytest.raises(SourceError) as caught:
        read_measurements(source_of(tmp_path, file), COHORT.measurements, folder=tmp_path, minimum_count=3)
    assert f'nothing measured is called "steps": {message}' in str(caught.value)
    assert "Smith" not in str(caught.value)


@pytest.mark.skipif(not OMOP.is_file(), reason="PARALLAX_OMOP_CSV names no folder with MEASUREMENT.csv: laboratory series of an OMOP database")
def test_laboratory_series_of_a_public_database() -> None:
    """Weight and systolic pressure over the last five years of the database, patients split by turns: real times, ties and gaps."""
    codes = {"3025315": "weight", "3004249": "pressure"}
    wanted = ["person_id", "measurement_concept_id", "measurement_date", "value_as_number"]
    file = pd.read_csv(OMOP, usecols=lambda name: name.lower() in wanted, dtype=str).rename(columns=str.lower)
    file = file[file["measurement_concept_id"].isin(codes)]
    date = pd.to_datetime(file["measurement_date"])
    rows = pd.DataFrame(
        {
            "patient_id": file["person_id"].astype("string"),
            "name": file["measurement_concept_id"].map(codes),
            "time_days": (date - date.max()).dt.days.astype(float),
            "value": file["value_as_number"].astype(float),
        }
    )
    summaries = ["mean", "last", "minimum", "maximum", "count"]
    asked = {name: {"unit": "?", "window_days": [-1825, 0], "summaries": summaries} for name in codes.values()}
    numeric = [f"{name}_{summary}" for name in asked for summary in summaries]
    cohort = CohortSection.of(COHORT.plain() | {"measurements": asked, "covariates": {"numeric": numeric}})
    patients = pd.DataFrame({"patient_id": sorted(rows["patient_id"].unique())}).astype("string")
    patients = patients.assign(replicate=0, treated=np.arange(len(patients)) % 2 == 0)
    kept = select_measurements(rows, cohort.measurements).assign(replicate=0)
    patients = patients.join(summarise_measurements(kept, patients, cohort))
    drawn = FittedMeasurements.fit(kept, patients, cohort).draw(patients, rng=np.random.default_rng(1))
    found = measure_series((patients, kept), (patients, drawn), cohort, rng=np.random.default_rng(2))
    assert (found.loc[found["metric"] == "series_summary_miss", "value"] < 0.05).all()
    assert (found.loc[found["metric"] == "series_copies", "value"] == 0).all()
