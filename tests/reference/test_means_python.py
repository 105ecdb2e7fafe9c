"""Weighted means and rates, regressions and Holm's p-values against statsmodels, which computes the same from generalised linear models."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.multitest import multipletests

from parallax.outcomes.observed import Valued
from parallax.outcomes.patients import Modelled
from parallax.outcomes.regression import estimate_conditional
from parallax.statistics.arm_means import weighted_means, weighted_rates
from parallax.statistics.multiplicity import adjust_holm

N = 300


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(8)
    treated = rng.random(N) < 0.4
    days = rng.uniform(20, 300, N)
    return {
        "treated": treated, "x": sm.add_constant(treated.astype(float)), "weight": rng.uniform(0.2, 3, N), "days": days,
        "yes": (rng.random(N) < 0.3 + 0.2 * treated).astype(float), "number": rng.normal(treated, 2), "count": rng.poisson(days / 60).astype(float),
        "cluster": np.arange(N) // 3, "columns": rng.normal(size=(N, 3)),
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore:cov_type not fully supported with var_weights")  # it is right, as the equality shows
@pytest.mark.parametrize(
    ("value", "family", "contrast"),
    [
        ("number", sm.families.Gaussian(), "difference"),
        ("yes", sm.families.Gaussian(), "difference"),
        ("yes", sm.families.Poisson(), "log_ratio"),
        ("yes", sm.families.Binomial(), "log_odds_ratio"),
        ("count", sm.families.Poisson(), "log_ratio"),
    ],
)
def test_contrasts_are_coefficients(data: dict[str, np.ndarray], value: str, family: object, contrast: str) -> None:
    rate = value == "count"
    offset = {"offset": np.log(data["days"])} if rate else {}
    model = sm.GLM(data[value], data["x"], family=family, var_weights=data["weight"], **offset)
    pair = (
        weighted_rates(data[value], data["days"], data["treated"], weights=data["weight"])
        if rate
        else weighted_means(data[value], data["treated"], weights=data["weight"])
    )
    found = getattr(pair, contrast)()
    robust = model.fit(tol=1e-14, cov_type="HC0")
    assert (found.estimate, found.std_error) == pytest.approx((robust.params[1], robust.bse[1]), rel=1e-8)
    clustered = model.fit(tol=1e-14, cov_type="cluster", cov_kwds={"groups": data["cluster"], "use_correction": False})
    assert found.clustered_std_error(data["cluster"]) == pytest.approx(clustered.bse[1], rel=1e-8)


@pytest.mark.parametrize(("value", "family"), [("number", "continuous"), ("yes", "binary"), ("count", "count")])
def test_regression_is_statsmodels_own(data: dict[str, np.ndarray], value: str, family: str) -> None:
    treated, columns = data["treated"], data["columns"]
    everybody = np.ones(N, dtype=bool)
    patients = Modelled(everybody, treated, columns, np.zeros(N), np.zeros(N, dtype=np.int64), "regression", "conditional")
    effect = estimate_conditional(Valued(data[value], data["days"], family), patients, None)  # type: ignore[arg-type]
    families = {"continuous": sm.families.Gaussian(), "binary": sm.families.Binomial(), "count": sm.families.Poisson()}
    offset = {"offset": np.log(data["days"])} if family == "count" else {}
    fit = sm.GLM(data[value], sm.add_constant(np.column_stack([treated, columns])), family=families[family], **offset).fit(cov_type="HC0", tol=1e-12)
    estimate = effect.estimate if family == "continuous" else np.log(effect.estimate)
    assert (estimate, effect.std_error) == pytest.approx((fit.params[1], fit.bse[1]), rel=1e-9)


def test_holm() -> None:
    p = np.random.default_rng(1).random(12) ** 3
    assert adjust_holm(p) == pytest.approx(multipletests(p, method="holm")[1], rel=1e-12)
