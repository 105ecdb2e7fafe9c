"""The distribution of systematic error against R's metafor, whose random effects are the same model.

Estimates: log risk ratios and variances of the thirteen BCG trials (metadat::dat.bcg). Viechtbauer (2007, table 2) publishes the interval of their
between-trial variance, 0.1197 to 1.1115. The mean and its interval are those of
``rma(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg, method = "ML", test = "knha")`` in metafor 3.8.
"""

from __future__ import annotations

import numpy as np
import pytest

from parallax.statistics.empirical_calibration import bound_null, fit_null

#: cases and others, vaccinated and not
TRIALS = np.array(
    [
        (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761), (180, 1361, 372, 1079),
        (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600), (186, 50448, 141, 27197), (5, 2493, 3, 2338),
        (27, 16886, 29, 17825),
    ],
    dtype=float,
)  # fmt: skip


def test_bcg_vaccine() -> None:
    a, b, c, d = TRIALS.T
    y, s = np.log(a / (a + b) / (c / (c + d))), np.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))
    null = fit_null(y, s)
    assert (null.mean, null.sd) == pytest.approx((-0.71119914, 0.52917688), abs=1e-6)
    bounds = bound_null(null, y, s)
    assert bounds.mean == pytest.approx((-1.10347744, -0.31892083), abs=1e-6)
    assert np.square(bounds.sd) == pytest.approx((0.1197, 1.1115), abs=5e-5)
