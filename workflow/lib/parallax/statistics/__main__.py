"""``python -m parallax.statistics`` compiles every kernel into the cache beside the code, so that no job waits for it."""

from __future__ import annotations

import numpy as np

from parallax.statistics.cox import baseline_hazard, fit_cox
from parallax.statistics.logistic import fit_logistic
from parallax.statistics.matching import match_nearest
from parallax.statistics.statements import EQUAL, count_matches
from parallax.statistics.survival import kaplan_meier, restricted_mean_difference, survival_difference


def compile_kernels() -> None:
    """Call each kernel once, with and without weights and clusters, on sixty simulated patients."""
    rng = np.random.default_rng(0)
    treated = np.arange(60) % 2 == 0
    time, event = np.ceil(rng.exponential(50, 60)) + 5, rng.random(60) < 0.8
    covariates = np.column_stack([treated, rng.normal(size=60)]).astype(np.float64)
    fit_logistic(np.column_stack([np.ones(60), covariates[:, 1]]), treated.astype(np.float64))
    for replace in (False, True):
        match_nearest(covariates[:, 1], treated, caliper=1.0, replace=replace)
    for weights, clusters in ((None, None), (rng.random(60) + 0.5, None), (None, np.arange(60) // 2)):
        for ties in ("efron", "breslow"):
            fit = fit_cox(time, event, covariates, weights=weights, clusters=clusters, ties=ties)
        baseline_hazard(fit, time, event, covariates, weights=weights)
        kaplan_meier(time, event, weights=weights)
        for difference in (survival_difference, restricted_mean_difference):
            difference(time, event, treated, 20.0, weights=weights)
    columns = np.zeros((1, 1), dtype=np.int64)
    count_matches(columns, columns + EQUAL, np.zeros((1, 1)), covariates, 2)


if __name__ == "__main__":
    compile_kernels()
