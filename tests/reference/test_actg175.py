"""The ACTG 175 trial (lifelines' copy): zidovudine with didanosine against zidovudine alone, published hazard ratio 0.49–0.50."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from parallax.statistics.cox import fit_cox


def test_the_published_hazard_ratio() -> None:
    """Hammer et al. 1996, table 2: first event of a 50 % CD4 decline, AIDS or death. The arms are coded 0 zidovudine, 1 with didanosine."""
    trial = pd.read_csv(str(files("lifelines.datasets") / "ACTG175.csv")).query("arms in (0, 1)")
    fit = fit_cox(trial["days"], trial["cens"], (trial["arms"] == 1).to_numpy(dtype=float)[:, None])
    ratio, error = float(np.exp(fit.coefficients[0])), float(np.sqrt(fit.covariance_naive[0, 0]))
    interval = np.exp(fit.coefficients[0] + np.array([-1.96, 1.96]) * error)
    assert ratio == pytest.approx(0.495, abs=0.001)
    assert interval == pytest.approx([0.388, 0.630], abs=0.001)
