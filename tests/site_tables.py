"""Answers of sites, and a file of site results, for the tests of pooling."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from parallax.disclosure.site import disclose_site
from parallax.protocol.loading import read_protocol
from parallax.protocol.protocol import Protocol
from parallax.sites.site_results import build_site_results
from parallax.statistics.intervals import normal_interval, normal_p_value
from parallax.tables import BALANCE, CHARACTERISTICS, COMBINED, CONCENTRATION, OVERLAP, empty_table
from parallax.vocabulary import RATIO_CONTRASTS

SOUND = Path(__file__).parent / "protocol/faults/sound.yaml"
ELSEWHERE = "harbour"


def answers(*numbers: tuple[float, float], contrast: str = "hazard_ratio", **others: object) -> pd.DataFrame:
    """COMBINED with one row per (analysis-scale estimate, standard error), by horizon 30, 60, …; an estimate of NaN is not estimable."""
    rows = []
    for number, (estimate, error) in enumerate(numbers, start=1):
        natural = np.exp if contrast in RATIO_CONTRASTS else float
        lower, upper = normal_interval(estimate, error)
        known = not np.isnan(estimate)
        rows.append(
            {
                "design": "overlap",
                "outcome": "death",
                "contrast": contrast,
                "horizon_days": 30.0 * number,
                "rule": "none",
                "estimate": natural(estimate),
                "std_error": error,
                "lower": natural(lower),
                "upper": natural(upper),
                "p_value": normal_p_value(estimate, error),
                "df": np.inf if known else np.nan,
                "replicates": 1,
                "not_estimable": int(not known),
                "n_treated": 100.0,
                "n_comparator": 200.0,
                "events_treated": 40.0,
                "events_comparator": 50.0,
                "effective_estimand": "ATO",
                "variance_method": "sandwich",
                "status": "ok" if known else "not_estimable",
                "reason": None if known else "no event in the treated arm",
            }
            | others
        )
    return COMBINED.validate(pd.DataFrame(rows, columns=list(COMBINED.columns)))


def table_1(age: float = 60.0, women: int = 40) -> pd.DataFrame:
    """CHARACTERISTICS of 100 patients in each arm: age with a standard deviation of 10, two years apart, and as many women in each."""
    rows = [
        {"covariate": "age", "level": None, "kind": "numeric", "arm": arm, "n": 100, "mean": age + shift, "standard_deviation": 10.0, "smd": -0.2}
        for arm, shift in (("treated", -1.0), ("comparator", 1.0))
    ]
    rows += [
        {"covariate": "sex", "level": level, "kind": "categorical", "arm": arm, "n": 100, "count": count, "smd": 0.0}
        for level, count in (("female", women), ("male", 100 - women))
        for arm in ("treated", "comparator")
    ]
    return CHARACTERISTICS.validate(pd.DataFrame(rows, columns=list(CHARACTERISTICS.columns)))


def sound_results(estimate: float = -0.3, error: float = 0.1, *, table: pd.DataFrame | None = None) -> dict[str, Any]:
    """The content of a file that the protocol ``sound.yaml`` accepts from the site ``harbour``: its primary answer (that of ``table`` where it is
    given), Table 1, balance, overlap."""
    balance = BALANCE.validate(
        pd.DataFrame(
            [{"replicate": 0, "design": "overlap", "covariate": "age", "level": None, "smd": 0.0, "variance_ratio": 1.0, "ks": 0.01}],
            columns=list(BALANCE.columns),
        )
    )
    numbers = dict.fromkeys(("c_statistic", "equipoise", "max_weight", "top_share", "max_abs_smd"), 0.05)
    overlap = OVERLAP.validate(
        pd.DataFrame(
            [
                {"replicate": 0, "design": "overlap", "effective_estimand": "ATO", "n_treated": 100, "n_comparator": 200, "ess_treated": 90.2}
                | {"ess_comparator": 91.0, "status": "ok"}
                | numbers
            ],
            columns=list(OVERLAP.columns),
        )
    )
    exact = {
        ("real", "combined"): answers((estimate, error)) if table is None else table,
        ("real", "characteristics"): table_1(),
        ("real", "concentration"): empty_table(CONCENTRATION),
    }
    shown = disclose_site(exact | {("real", "balance"): balance, ("real", "overlap"): overlap}, sound())
    written = build_site_results(
        ELSEWHERE, sound(), shown, follow_up={"death": 100.0}, verdicts={"sequential": "release"}, parallax="0.1.0", commit=None
    )
    return copy.deepcopy(written)


def sound(**pooling: object) -> Protocol:
    """The protocol ``sound.yaml``, with this section ``pooling``."""
    return Protocol.of(read_protocol(SOUND).plain() | ({"pooling": pooling} if pooling else {}))  # type: ignore[operator]


def write_results(folder: Path, content: dict[str, Any], name: str = ELSEWHERE) -> Path:
    """The content as a file, its path."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
