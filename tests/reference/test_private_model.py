"""The graphical model against mbi 2.0.0 (Private-PGM), which is no dependency of Parallax.

Made with ``mbi.estimation.MirrorDescent().estimate(domain, measurements, known_total=200.0, iters=5000)`` in double precision, one
``LinearMeasurement(counts, table, 1 / sqrt(weight))`` for each table, then ``model.project``.
"""

from __future__ import annotations

import numpy as np

from parallax.synthesis.private_model import Structure, fit_model, order_covariates

SIZES = {"treated": 2, "death": 3, "age": 2, "sex": 2}
#: tables that no patients have: they disagree with each other, as noisy ones do
NOISY = {
    ("treated", "death"): [41, 30, 17, 22, 35, 55],
    ("treated", "age"): [60, 27, 44, 69],
    ("treated", "sex"): [50, 38, 52, 61],
    ("age", "death"): [40, 33, 29, 25, 31, 44],
    ("sex", "death"): [36, 30, 35, 24, 36, 40],
    ("age", "sex"): [58, 46, 44, 53],
}
WEIGHTS = {table: 2 if table == ("treated", "death") else 1 for table in NOISY}
FROM_MBI = {
    ("treated", "death"): [40.6, 29.725, 17.225, 21.9, 35.025, 55.525],
    ("treated", "age"): [59.8062, 27.7438, 43.2563, 69.1937],
    ("treated", "sex"): [49.65, 37.9, 51.6, 60.85],
    ("age", "death"): [39.4375, 34.0625, 29.5625, 23.0625, 30.6875, 43.1875],
    ("sex", "death"): [37.5, 29.625, 34.125, 25.0, 35.125, 38.625],
    ("age", "sex"): [57.4062, 45.6563, 43.8438, 53.0937],
}
JOINT_FROM_MBI = [
    19.0034, 10.3128, 6.5113, 4.7725, 10.5236, 9.4268, 4.4231, 5.3514, 5.9283, 4.6113, 3.2602, 3.4252,
    5.9433, 4.178, 6.042, 5.7367, 6.5322, 7.5798, 8.146, 12.7669, 9.4754, 9.5475, 15.461, 21.0411,
]  # fmt: skip


def test_tables_and_joint_distribution_are_those_of_mbi() -> None:
    structure = Structure.of(SIZES, ("treated", "death"), order_covariates(["age", "sex"], [("age", "sex")]))
    counts = {table: np.array(part, dtype=float) for table, part in NOISY.items()}
    model = fit_model(structure, counts, WEIGHTS, variance=1e-6, patients=200)
    for table, shares in model.tables(NOISY).items():
        np.testing.assert_allclose(200 * shares.ravel(), FROM_MBI[table], atol=2e-4)
    # axes of a covariate with a parent: cells of arm × outcome, the parent's codes, its own
    np.testing.assert_allclose(200 * model.joint["sex"].ravel(), JOINT_FROM_MBI, atol=2e-3)
