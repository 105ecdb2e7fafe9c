"""Meta-analysis as published, and against R's metafor to 1e-8.

``meta_analysis.json`` holds what ``meta_analysis.R`` computed (R 4.2.2, metafor 3.8-1), the data among it. Where R and metafor are installed, the
stored values are recomputed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from parallax.errors import NotEstimable
from parallax.statistics.intervals import t_interval, t_p_value
from parallax.statistics.meta_analysis import Interval, Pooled, measure_spread, pool_fixed, pool_random, prediction_interval

FOLDER = Path(__file__).parent
STORED: dict[str, list[float | None]] = json.loads((FOLDER / "meta_analysis.json").read_text())
CASES = ["bcg", "magnesium", "two", "near"]


def r(name: str) -> np.ndarray:
    return np.array(STORED[name], dtype=float)


def exactly(name: str):
    return pytest.approx(r(name), rel=1e-8, abs=1e-12)


def as_r(pooled: Pooled) -> list[float]:
    interval = t_interval(pooled.estimate, pooled.std_error, pooled.df)
    return [pooled.estimate, pooled.std_error, *interval, t_p_value(pooled.estimate, pooled.std_error, pooled.df)]


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed (Debian: r-base-core, r-cran-metafor)")
def test_stored_values_are_those_of_metafor() -> None:
    run = subprocess.run(["Rscript", FOLDER / "meta_analysis.R"], capture_output=True, text=True, check=False)
    if "there is no package called" in run.stderr:
        pytest.skip("R is installed without its package metafor (Debian: r-cran-metafor)")
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found.keys() == STORED.keys()
    for name, values in found.items():
        assert np.array(values, dtype=float) == exactly(name), name


@pytest.mark.parametrize("case", CASES)
def test_pooled(case: str) -> None:
    y, se = r(f"{case} y"), r(f"{case} se")
    assert as_r(pool_fixed(y, se)) == exactly(f"{case} fixed")
    intervals: dict[Interval, str] = {"wald": "wald", "hartung_knapp_untruncated": "knha", "hartung_knapp": "adhoc"}
    for interval, name in intervals.items():
        assert as_r(pool_random(y, se, interval=interval)) == exactly(f"{case} {name}")


@pytest.mark.parametrize("case", CASES)
def test_spread(case: str) -> None:
    spread = measure_spread(r(f"{case} y"), r(f"{case} se"))
    assert [spread.tau2, spread.i2, spread.q, spread.p_value] == exactly(f"{case} heterogeneity")
    bounds = [spread.tau2_lower, spread.tau2_upper, spread.i2_lower, spread.i2_upper]
    if case == "near":
        assert np.isnan(bounds).all(), "metafor says that the interval is the empty set, and prints zeros"
    else:
        assert bounds == exactly(f"{case} profile")


@pytest.mark.parametrize("case", CASES)
def test_prediction(case: str) -> None:
    y, se = r(f"{case} y"), r(f"{case} se")
    if case == "two":
        with pytest.raises(NotEstimable, match="fewer than three independent"):
            prediction_interval(y, se)
    else:
        assert prediction_interval(y, se) == exactly(f"{case} prediction")


@pytest.mark.parametrize("case", CASES)
def test_one_left_out(case: str) -> None:
    y, se = r(f"{case} y"), r(f"{case} se")
    if case == "two":
        # one study is left, of which metafor keeps the estimate; here it is no random effect
        assert [*y[::-1], *se[::-1]] == exactly(f"{case} left out")
        with pytest.raises(NotEstimable, match="fewer than two"):
            pool_random(y[1:], se[1:], interval="wald")
        return
    left = [pool_random(np.delete(y, out), np.delete(se, out), interval="wald") for out in range(y.size)]
    assert [pooled.estimate for pooled in left] + [pooled.std_error for pooled in left] == exactly(f"{case} left out")


def test_bcg_as_published() -> None:
    """Colditz et al. 1994 (JAMA 271:698): a relative risk of 0.49 (0.34 to 0.70) over the 13 trials, random effects.

    Viechtbauer 2010 (J Stat Softw 36(3), section 3.1): Q = 152.23 on 12 degrees of freedom; τ² from 0.1197 to 1.1115.
    """
    y, se = r("bcg y"), r("bcg se")
    pooled = pool_random(y, se, interval="wald")
    shown = np.exp([pooled.estimate, *t_interval(pooled.estimate, pooled.std_error, pooled.df)])
    assert [f"{number:.2f}" for number in shown] == ["0.49", "0.34", "0.70"]
    spread = measure_spread(y, se)
    assert (round(spread.q, 2), spread.df) == (152.23, 12)
    assert (round(spread.tau2_lower, 4), round(spread.tau2_upper, 4)) == (0.1197, 1.1115)
