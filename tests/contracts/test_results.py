"""The tables that a reader opens have exactly the documented columns."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pandas as pd

from parallax.reporting.results import (
    collect_agreement,
    collect_enrichment,
    collect_estimates,
    collect_privacy,
    collect_robustness,
    collect_subgroups,
)
from simulated_tables import simulated_protocol, simulated_site

ESTIMATES = [
    *("site", "dataset", "design", "outcome", "contrast", "horizon_days", "estimate", "lower", "upper", "std_error", "p_value", "p_adjusted"),
    *(
        "rule",
        "replicates",
        "not_estimable",
        "number_needed",
        "number_needed_lower",
        "number_needed_upper",
        "variance_method",
        "effective_estimand",
        "n_treated",
        "n_comparator",
        "events_treated",
        "events_comparator",
        "design_failure",
        "status",
        "reason",
    ),
    *("way", "sites", "left_out", "shared"),
]
AGREEMENT = [
    "site",
    "generator",
    "design",
    "outcome",
    "contrast",
    "horizon_days",
    "metric",
    "value",
    "lower",
    "upper",
    "threshold",
    "passed",
    "reason",
]
ENRICHMENT = [
    *("site", "dataset", "enrichment", "rule", "replicates", "not_estimable", "variance_method", "effective_estimand", "n_treated", "n_comparator"),
    *("events_treated", "events_comparator", "shift_in_real_se", "status", "reason"),
]
PRIVACY = ["site", "generator", "metric", "value", "lower", "upper", "threshold", "passed"]


def of_site(*tables: Mapping[str, pd.DataFrame]) -> list[dict[tuple[str, str], pd.DataFrame]]:
    return [{("support", name): table for name, table in group.items()} for group in tables]


def test_columns_and_order() -> None:
    site, _ = simulated_site(simulated_protocol())
    estimates = collect_estimates(*of_site(site.combined, site.overlap))
    agreement = collect_agreement({("support", name): table for name, table in site.agreement.items()})
    privacy = collect_privacy({("support", name): table for name, table in site.privacy.items()})
    assert list(estimates.columns) == ESTIMATES
    assert list(agreement.columns) == AGREEMENT
    assert list(privacy.columns) == PRIVACY
    assert list(dict.fromkeys(estimates["dataset"])) == ["real", "sequential", "gaussian_copula", "tvae"]
    assert set(estimates.loc[estimates["dataset"] == "real", "rule"]) == {"none"}
    assert len(estimates) == sum(map(len, site.combined.values()))
    failed = estimates[estimates["design_failure"].notna()]
    assert set(failed["design"]) == {"crude", "att"}
    assert failed["design_failure"].str.startswith("not balanced").all()


def test_text_is_the_same_twice_and_counts_are_whole() -> None:
    site, _ = simulated_site(simulated_protocol())
    texts = [collect_estimates(*of_site(site.combined, site.overlap)).to_csv(index=False, float_format="%.10g") for _ in range(2)]
    assert texts[0] == texts[1]
    back = pd.read_csv(io.StringIO(texts[0]))
    assert set(back["n_treated"].dropna() % 5) == {0}
    assert ",2185,3550," in texts[0]


def test_no_table_gives_only_the_heading() -> None:
    assert list(collect_agreement({}).columns) == AGREEMENT
    assert len(collect_privacy({})) == 0


def test_numbers_needed_stand_beside_risk_differences_only() -> None:
    row = {"lower": 0.02, "upper": 0.1, "status": "ok", "design": "crude"}
    combined = pd.DataFrame(
        [
            row | {"contrast": "risk_difference", "estimate": 0.05},
            row | {"contrast": "risk_difference", "estimate": -0.05, "lower": -0.1, "upper": 0.02},
            row | {"contrast": "risk_ratio", "estimate": 0.05},
        ]
    ).reindex(columns=[name for name in [*ESTIMATES, "design", "contrast"] if name not in {"site", "dataset", "design_failure"}])
    combined = combined.loc[:, ~combined.columns.duplicated()].drop(columns=[name for name in combined if name.startswith("number_needed")])
    found = collect_estimates({("support", "real"): combined}, {})
    assert found["number_needed"].tolist()[:2] == [20, 20]
    assert found["number_needed_lower"].tolist()[0] == 10
    assert found["number_needed_upper"].tolist()[0] == 50
    assert found.loc[1, ["number_needed_lower", "number_needed_upper"]].isna().all()
    assert found.loc[2, ["number_needed", "number_needed_lower", "number_needed_upper"]].isna().all()


def test_enriched_subgroups_are_rows_of_their_own() -> None:
    site, _ = simulated_site(simulated_protocol())
    found = collect_enrichment({("support", name): table for name, table in site.enrichment.items()})
    assert list(found.columns) == [*ENRICHMENT[:3], *ESTIMATES[2:11], *ENRICHMENT[3:]]
    assert set(found["enrichment"]) == {"metastatic", "centenarians"}
    assert set(found["rule"]) == {"none", "partial", "naive"}
    assert found.loc[found["rule"] != "partial", "shift_in_real_se"].isna().all()
    assert list(collect_enrichment({}).columns) == list(found.columns)
    assert len(collect_enrichment({})) == 0


def test_subgroups_carry_their_interaction_and_robustness_its_measures() -> None:
    site, _ = simulated_site(simulated_protocol())
    subgroups, robustness = ({("support", name): table for name, table in group.items()} for group in (site.subgroups, site.robustness))
    interactions = {("support", name): table for name, table in site.interactions.items() if name != "tvae"}
    found = collect_subgroups(subgroups, interactions)
    assert list(found.columns[:8]) == ["site", "dataset", "subgroup", "level", "design", "outcome", "contrast", "horizon_days"]
    assert len(found) == sum(map(len, subgroups.values()))
    tested = found[(found["dataset"] == "real") & (found["subgroup"] == "sex")]
    assert set(tested["interaction_p_value"]) == {0.12}
    assert found.loc[found["dataset"] == "tvae", "interaction_p_value"].isna().all()
    assert found.loc[found["level"] == "under_50", "events_treated"].isna().all()
    measures = collect_robustness(robustness)
    assert list(measures.columns) == [*found.columns[:2], *found.columns[4:8], "measure", "value", "lower", "upper", "p_value", "reason"]
    assert len(collect_subgroups({}, {})) == 0
