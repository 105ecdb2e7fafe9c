"""How far few patients carry the sums and means of a cohort: what disclosure must know, and never shows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.protocol import CountOutcome, Covariates, OutcomesSection, SurvivalOutcome
from parallax.tables import CONCENTRATION


def measure_concentration(cohort: pd.DataFrame, covariates: Covariates, outcomes: OutcomesSection) -> pd.DataFrame:
    """The CONCENTRATION table: a row per arm and numeric covariate, and per arm and outcome that is one number per patient.

    Formula
        ``carriers``: patients with another value than the commonest; ``top_two``: the two largest terms of Σ(x − mean)², or of Σx for a count,
        over the sum; 0 where the sum is. Missing values are left out.
    """
    columns = {name: (name, False) for name in covariates.numeric}
    columns |= {
        name: (f"{name}_value", isinstance(outcome, CountOutcome)) for name, outcome in outcomes.items() if not isinstance(outcome, SurvivalOutcome)
    }
    rows = []
    for variable, (column, counted) in columns.items():
        for arm, members in (("treated", cohort["treated"]), ("comparator", ~cohort["treated"])):
            values = cohort.loc[members, column].dropna().to_numpy(dtype=np.float64)
            commonest = int(np.unique(values, return_counts=True)[1].max()) if values.size else 0
            terms = values if counted else (values - values.mean() if values.size else values) ** 2
            rows.append((variable, arm, values.size - commonest, _share_of_two(terms)))
    return CONCENTRATION.validate(pd.DataFrame(rows, columns=list(CONCENTRATION.columns)))


def _share_of_two(terms: NDArray[np.float64]) -> float:
    total = float(terms.sum())
    return float(np.sort(terms)[-2:].sum()) / total if total > 0 else 0.0
