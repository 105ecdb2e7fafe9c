"""The kernels on data sets whose results are printed in textbooks."""

from __future__ import annotations

import numpy as np
import pytest

from parallax.statistics.cox import Ties, fit_cox
from parallax.statistics.logistic import fit_logistic
from parallax.statistics.survival import kaplan_meier

# Remission in weeks of 42 children with leukaemia, 6-mercaptopurine and placebo (Freireich et al. 1963; Gehan 1965; Cox 1972)
DRUG = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]


def test_remission_curve() -> None:
    # Collett 2015, Modelling Survival Data in Medical Research; Kleinbaum & Klein 2012, Survival Analysis, ch. 2 (their table)
    curve = kaplan_meier(DRUG, RELAPSED)
    jumps = curve.events > 0
    assert curve.times[jumps].tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve.at_risk[jumps].tolist() == [21, 17, 15, 12, 11, 7, 6]
    assert curve.survival[jumps] == pytest.approx([0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482], abs=6e-5)
    assert curve.std_error[jumps] == pytest.approx([0.0764, 0.0869, 0.0963, 0.1068, 0.1141, 0.1282, 0.1346], abs=6e-5)


@pytest.mark.parametrize(("ties", "coefficient", "std_error"), [("breslow", -1.509, 0.410), ("efron", -1.572, 0.412)])
def test_remission_hazard_ratio(ties: Ties, coefficient: float, std_error: float) -> None:
    # Kleinbaum & Klein 2012, ch. 3, model 1 (Breslow); the Efron values in the documentation of many packages
    treated = np.r_[np.ones(21), np.zeros(21)]
    fit = fit_cox([*DRUG, *PLACEBO], [*RELAPSED, *np.ones(21)], treated[:, None], ties=ties)
    assert fit.coefficients[0] == pytest.approx(coefficient, abs=6e-4)
    assert np.sqrt(fit.covariance_naive[0, 0]) == pytest.approx(std_error, abs=6e-4)


def test_o_rings() -> None:
    # Thermal distress of the space shuttle's O-rings by temperature (Dalal, Fowlkes & Hoadley 1989): 15.0429 (7.3786), −0.2322 (0.1082),
    # deviance 20.315
    temperature = [66, 70, 69, 68, 67, 72, 73, 70, 57, 63, 70, 78, 67, 53, 67, 75, 70, 81, 76, 79, 75, 76, 58]
    distress = [0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1]
    fit = fit_logistic(np.column_stack([np.ones(23), temperature]), distress)
    assert fit.coefficients == pytest.approx([15.0429, -0.2322], abs=6e-5)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx([7.3786, 0.1082], abs=6e-5)
    assert -2 * fit.log_likelihood == pytest.approx(20.315, abs=6e-4)
