"""The tables that a reader opens have exactly the documented columns."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pandas as pd

from parallax.reporting.results import collect_agreement, collect_estimates, collect_privacy
from simulated_tables import simulated_protocol, simulated_site

ESTIMATES = [
    *("site", "dataset", "design", "outcome", "contrast", "horizon_days", "estimate", "lower", "upper", "std_error", "p_value", "p_adjusted"),
    *(
        "rule",
        "replicates",
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
]
AGREEMENT = ["site", "generator", "design", "outcome", "contrast", "horizon_days", "metric", "value", "lower", "upper", "threshold", "passed"]
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
