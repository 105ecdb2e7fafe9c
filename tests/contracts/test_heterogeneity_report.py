"""What a reader sees of the differences between sites."""

from __future__ import annotations

import numpy as np
import pandas as pd

from parallax.protocol.question import PrimaryEstimate
from parallax.reporting.heterogeneity import tabulate_heterogeneity, tabulate_site_overlap
from parallax.reporting.results import HETEROGENEITY_COLUMNS, collect_heterogeneity
from parallax.sites.heterogeneity import measure_heterogeneity
from parallax.sites.overlap import compare_sites
from simulated_cohorts import COVARIATES, simulate_cohort
from site_tables import answers, table_1

PRIMARY = PrimaryEstimate(outcome="death", contrast="hazard_ratio", design="overlap", horizon_days=30)
LABELS = {"real": "Real", "sequential": "Sequential"}
THREE = {"clinic": answers((-0.2, 0.1)), "harbour": answers((-0.6, 0.2)), "big_island": answers((-0.3, 0.15))}


def heterogeneity() -> dict[str, pd.DataFrame]:
    two = {"clinic": answers((-0.3, 0.1)), "harbour": answers((-0.3, 0.1))}
    return {"real": measure_heterogeneity(THREE, excluded={}), "sequential": measure_heterogeneity(two, excluded={"big_island": "not released"})}


def test_the_table_of_effects() -> None:
    table = tabulate_heterogeneity(heterogeneity(), PRIMARY, labels=LABELS)
    assert table is not None
    lines = {row[0].text: row[1:] for row in table.rows}
    assert table.headings == ("Measure", "Real", "Sequential")
    assert [cell.text for cell in lines["At Big island"]] == ["0.74 (0.55–0.99)", "–"]
    assert [cell.text for cell in lines["Without Harbour"]] == ["0.79 (0.67–0.93)", "0.74 (0.61–0.90)"]
    assert lines["Without Big island"][1].text == "–"
    prediction = lines["Prediction: the effect at one more site"]
    assert prediction[1].note == "fewer than three independent estimates"
    assert lines["I²: share of the variance that is between sites"][1].note == "they differ less than by chance"


def test_no_table_of_one_site_or_of_none() -> None:
    assert tabulate_heterogeneity({"real": measure_heterogeneity({"clinic": THREE["clinic"]}, excluded={})}, PRIMARY, labels=LABELS) is None
    assert tabulate_site_overlap(compare_sites({"clinic": table_1()}, {}, COVARIATES), imbalance=0.1) is None


def test_the_table_of_patients() -> None:
    here = simulate_cohort(300, seed=1)
    there = simulate_cohort(300, seed=2).assign(age=here["age"] + 60)
    tables = {"clinic": table_1(), "harbour": table_1(age=63.0)}
    table = tabulate_site_overlap(compare_sites(tables, {"clinic": here, "harbour": there}, COVARIATES), imbalance=0.1)
    assert table is not None
    (row,) = table.rows
    assert [cell.text for cell in row][:3] == ["Clinic and Harbour", "0.30", "1 of 1"]
    assert row[1].note == "age"
    assert float(row[3].text) > 0.95
    assert float(row[4].text.removesuffix("%")) < 20


def test_a_site_of_which_a_release_alone_is_here() -> None:
    """Its patients were drawn by a generator, and how alike the real ones are is not known."""
    tables = {"clinic": table_1(), "harbour": table_1(age=63.0)}
    found = compare_sites(tables, {}, COVARIATES, unknown=("far_island", "atoll"))
    unknown = found[found["covariate"].isna()]
    pairs = [("clinic", "far_island"), ("clinic", "atoll"), ("harbour", "far_island"), ("harbour", "atoll"), ("far_island", "atoll")]
    assert list(zip(unknown["site"], unknown["other"], strict=True)) == pairs
    table = tabulate_site_overlap(found, imbalance=0.1)
    assert table is not None
    row = next(row for row in table.rows if row[0].text == "Clinic and Far island")
    assert [cell.text for cell in row[1:]] == ["–"] * 4
    assert row[1].note == "Far island: its real patients are elsewhere, and it sent no site results"


def test_the_csv_holds_every_measure_of_every_dataset() -> None:
    frame = collect_heterogeneity(heterogeneity())
    assert tuple(frame.columns) == HETEROGENEITY_COLUMNS
    assert list(frame["dataset"].unique()) == ["real", "sequential"]
    assert np.isclose(frame.loc[frame["measure"] == "q", "p_value"].max(), 1.0)
