"""Risks by anonymeter 1.1.0, in an environment of its own, since the package caps numpy: writes anonymeter.csv (the patients) and anonymeter.json.

    python3.11 -m venv env && env/bin/pip install anonymeter==1.1.0 numpy==1.26.4 && env/bin/python anonymeter_values.py

200 patients seen, 200 not seen, 300 synthetic of whom 60 are copies. One number stands on each side of an attack, so that the nearest record is
the same by anonymeter's distance (Gower's) and by a Euclidean one. Every patient is attacked, so that nothing but the guesses of the baseline and
the multivariate statements is random; the statements are kept with what each found.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
from anonymeter.evaluators import InferenceEvaluator, LinkabilityEvaluator, SinglingOutEvaluator
from anonymeter.evaluators import singling_out_evaluator as single
from anonymeter.stats.confidence import EvaluationResults

FOLDER = Path(__file__).parent
ASKED = [(500, 60, 20), (500, 20, 60), (2000, 0, 0), (40, 40, 10), (1147, 230, 219)]


def draw(size: int, rng: np.random.Generator) -> pd.DataFrame:
    x = rng.normal(50, 10, size)
    z = x / 10 + rng.normal(20, 2, size)
    d = rng.choice(["low", "high"], size, p=[0.7, 0.3])
    c = np.where(x + rng.normal(0, 8, size) > 55, "ill", "well")
    y = x + rng.normal(100, 12, size)
    return pd.DataFrame({"x": x, "z": z, "y": y, "c": c, "d": d})


def read(results: EvaluationResults) -> dict[str, float]:
    risk = results.risk()
    return {
        "success": int(results.n_success),
        "control": int(results.n_control),
        "attacks": int(results.n_attacks_ori),
        "risk": risk.value,
        "lower": risk.ci[0],
        "upper": risk.ci[1],
    }


def main() -> None:
    rng = np.random.default_rng(60)
    train, control, synthetic = draw(200, rng), draw(200, rng), draw(300, rng)
    synthetic.iloc[rng.permutation(300)[:60]] = train.iloc[rng.permutation(200)[:60]].to_numpy()
    synthetic = synthetic.astype(train.dtypes)
    parts = {"train": train, "control": control, "synthetic": synthetic}
    pd.concat([frame.assign(part=name) for name, frame in parts.items()]).to_csv(FOLDER / "anonymeter.csv", index=False)
    found: dict[str, object] = {"rates": []}
    for attacks, success, unseen in ASKED:
        for level in (0.9, 0.95):
            risk = EvaluationResults(n_attacks=attacks, n_success=success, n_baseline=0, n_control=unseen, confidence_level=level).risk()
            found["rates"].append([attacks, success, unseen, level, risk.value, *risk.ci])
    for secret, number in (("c", False), ("y", True)):
        evaluator = InferenceEvaluator(train, synthetic, control=control, aux_cols=["x", "d"], secret=secret, regression=number, n_attacks=200)
        found[f"inference_{secret}"] = read(evaluator.evaluate(n_jobs=1).results(confidence_level=0.9))
    linker = LinkabilityEvaluator(train, synthetic, aux_cols=(["x"], ["z", "d"]), n_attacks=200, control=control)
    found["linkability"] = read(linker.evaluate(n_jobs=1).results(confidence_level=0.9))
    every = len(single.univariate_singling_out_queries(pl.DataFrame(synthetic).unique(maintain_order=True), 10**6, np.random.default_rng(1)))
    alone = SinglingOutEvaluator(train, synthetic, control=control, n_attacks=every, seed=1)
    found["univariate"] = read(alone.evaluate(mode="univariate").results(confidence_level=0.9))

    made: dict[str, list] = {}
    original = single._query_from_record

    def remember(record, dtypes, columns, medians, rng):
        query = original(record, dtypes, columns, medians, rng)
        made[str(query)] = [
            (name, "==" if isinstance(record[name], str) else ">=" if record[name] > medians[name] else "<=", record[name])
            for name in sorted(columns)
        ]
        return query

    single._query_from_record = remember
    queries = single.multivariate_singling_out_queries(pl.DataFrame(synthetic).unique(maintain_order=True), 60, 3, 2_000, np.random.default_rng(2))
    counts = [single._evaluate_queries(pl.DataFrame(frame).unique(maintain_order=True), queries) for frame in (train, control)]
    found["statements"] = [[made[str(query)], int(seen), int(unseen)] for query, seen, unseen in zip(queries, *counts, strict=True)]
    (FOLDER / "anonymeter.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
