"""External control arm: real treated patients beside synthetic comparators, drawn where the real comparators cannot leave."""

from __future__ import annotations

import pandas as pd

from parallax.errors import GenerationError


def join_external_control(treated: pd.DataFrame, drawn: pd.DataFrame, *, learned_from: int) -> pd.DataFrame:
    """A cohort table of as many replicates as ``drawn`` has: in each the same real treated patients, and that replicate's first comparators.

    Assumption
        The generator never saw ``treated``; it learned its comparators from ``learned_from`` = n₀ real ones. Patients of a draw are independent
        given the fitted generator, so that the first n₀ comparators of a longer draw are a draw of n₀.
    Formula
        With n₀ comparators in every replicate, combining by ``partial`` at k = n is right: T = v + b/m. For v = v₁ + v₀, what the treated and
        the comparators add to the variance of an estimate: v₁ is the sampling of the treated, v₀ at n₀ patients what the generator did not know
        of the comparators, and b, made by the synthetic ones alone, the noise of drawing (docs/decisions/0054).
    Shapes
        ``treated`` is a cohort table of one replicate, of which the treated rows are taken; ``drawn`` has ``replicate`` 0 … m − 1 and the same
        columns.
    Errors
        GenerationError where a replicate holds fewer than ``learned_from`` comparators (draw more patients), where ``learned_from`` is below 1,
        or where there is nobody treated.
    """
    real = treated[treated["treated"]]
    comparators = drawn[~drawn["treated"]]
    if learned_from < 1 or real.empty:
        raise GenerationError(
            f"external control: found {len(real)} real treated patients and {learned_from} real comparators behind the synthetic ones; "
            "allowed is at least one of each"
        )
    held = comparators["replicate"].value_counts().reindex(drawn["replicate"].unique(), fill_value=0)
    if (held < learned_from).any():
        raise GenerationError(
            f"external control: found {int(held.min())} synthetic comparators in a replicate; allowed are at least the {learned_from} real ones "
            "that the generator learned from; draw more patients"
        )
    taken = comparators[comparators.groupby("replicate").cumcount() < learned_from]
    tables = [
        pd.concat([real.assign(replicate=number, patient_id="real/" + real["patient_id"].astype("string")), synthetic], ignore_index=True)
        for number, synthetic in taken.groupby("replicate", sort=True)
    ]
    return pd.concat(tables, ignore_index=True)[list(drawn.columns)]
