"""What simulated studies say: bias, coverage, type I error and power of every rule, and how often the agreement gate fails a generator.

Formulas, over the R studies of one effect θ in which a rule has an estimate q with standard error s and interval [L, U] (Morris, White & Crowther
2019, table 6; all on the analysis scale):

    bias               Σ(q − θ)/R               Monte-Carlo error  sd(q)/√R
    empirical_se       sd(q)                                       sd(q)/√{2(R − 1)}
    model_se           √(Σs²/R)                                    √{var(s²)/(4 R · Σs²/R)}
    coverage           share of L ≤ θ ≤ U                          √{p(1 − p)/R}, as of every share
    type_1_error       share of intervals without the null, where θ is the null; else
    power              the same share
    estimable          share of the studies with an estimate

and of the agreement of the generator's answer (the partial rule's; with one replicate that of its fit) with the study's own

    gate_failure       share whose agreement gate fails, of the studies that it could judge: a *false alarm* for the correct generator, *detection*
                       for the flat copula
    gate_undecided     share of all studies that the gate could not judge
    mean_shift         mean shift in standard errors of the study's own estimate;  sd_shift its standard deviation
    ci_overlap_5       5 % quantile of the overlap of the two intervals             from the order statistics about it

The gate judges no study that is not estimable on either side, that the generator could not be fitted to, or, where the primary design matches, whose
own floor misses the gate ("not testable here"). Such a study is neither caught nor spared: it is in gate_undecided, and in no other number of the
gate. Shares have Wilson's 95 % interval, means a normal one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.statistics.intervals import normal_interval, wilson_interval
from parallax.tables import CERTIFICATION
from parallax.validation.combining import answering_rule

FloatArray = NDArray[np.float64]


def summarise(studies: pd.DataFrame, *, patients: int, replicates: int) -> pd.DataFrame:
    """The CERTIFICATION table of a site from its SIMULATED_STUDIES, of which the generators' copies of the study's own answer are counted once."""
    once = studies.drop_duplicates(["generator", "effect", "repetition", "rule"])
    size = {"patients": patients, "replicates": replicates}
    rows: list[dict[str, object]] = []
    answers = {str(generator): answering_rule(group) for generator, group in once.groupby("generator")}
    for (generator, effect, rule), group in once.groupby(["generator", "effect", "rule"], sort=False):
        labels = {"generator": generator, "effect": effect, "rule": rule} | size
        rows += [labels | row for row in _of_rule(group, null=effect == "no_effect")]
        if rule == answers[str(generator)] and rule != "none":
            rows += [labels | row for row in _of_gate(group)]
    return CERTIFICATION.validate(pd.DataFrame(rows, columns=list(CERTIFICATION.columns)))


def _of_rule(group: pd.DataFrame, *, null: bool) -> Iterator[dict[str, object]]:
    yield _share("estimable", int(group["estimate"].notna().sum()), len(group))
    known = group[group["estimate"].notna()]
    if known.empty:
        return
    q, s, truth = (known[name].to_numpy(dtype=np.float64) for name in ("estimate", "std_error", "truth"))
    lower, upper = (known[name].to_numpy(dtype=np.float64) for name in ("lower", "upper"))
    yield _mean("bias", q - truth)
    yield _deviation("empirical_se", q)
    mean_variance = float(np.mean(s**2))
    error = math.sqrt(float(np.var(s**2, ddof=1)) / (4 * len(s) * mean_variance)) if len(s) > 1 and mean_variance > 0 else math.nan
    yield _row("model_se", math.sqrt(mean_variance), error, len(s))
    yield _share("coverage", int(((lower <= truth) & (truth <= upper)).sum()), len(q))
    yield _share("type_1_error" if null else "power", int(((lower > 0) | (upper < 0)).sum()), len(q))


def _of_gate(group: pd.DataFrame) -> Iterator[dict[str, object]]:
    judged = group[group["passed"].notna()]
    yield _share("gate_undecided", len(group) - len(judged), len(group))
    if judged.empty:
        return
    yield _share("gate_failure", int((~judged["passed"].astype(bool)).sum()), len(judged))
    shift = judged["shift"].to_numpy(dtype=np.float64)
    yield _mean("mean_shift", shift)
    yield _deviation("sd_shift", shift)
    overlap = np.sort(judged["ci_overlap"].to_numpy(dtype=np.float64))
    size = overlap.size
    # the quantile's error from the order statistics one binomial standard deviation to either side (David & Nagaraja 2003, section 7.1)
    reach = math.sqrt(0.05 * 0.95 * size)
    low, high = (overlap[int(np.clip(round(0.05 * size + side * reach), 0, size - 1))] for side in (-1, 1))
    yield _row("ci_overlap_5", float(np.quantile(overlap, 0.05)), float(high - low) / 2, size)


def _share(metric: str, successes: int, size: int) -> dict[str, object]:
    share = successes / size
    lower, upper = wilson_interval(successes, size)
    error = math.sqrt(share * (1 - share) / size)
    return {"metric": metric, "value": share, "monte_carlo_error": error, "lower": lower, "upper": upper, "repetitions": size}


def _mean(metric: str, values: FloatArray) -> dict[str, object]:
    error = float(values.std(ddof=1)) / math.sqrt(values.size) if values.size > 1 else math.nan
    return _row(metric, float(values.mean()), error, values.size)


def _deviation(metric: str, values: FloatArray) -> dict[str, object]:
    spread = float(values.std(ddof=1)) if values.size > 1 else math.nan
    return _row(metric, spread, spread / math.sqrt(2 * (values.size - 1)) if values.size > 1 else math.nan, values.size)


def _row(metric: str, value: float, error: float, size: int) -> dict[str, object]:
    lower, upper = (math.nan, math.nan) if math.isnan(error) else normal_interval(value, error)
    return {"metric": metric, "value": value, "monte_carlo_error": error, "lower": lower, "upper": upper, "repetitions": size}
