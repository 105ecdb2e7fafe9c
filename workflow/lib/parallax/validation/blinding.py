"""Blinding: a design is settled by balance and overlap, before anybody has seen an effect."""

from __future__ import annotations

import pandas as pd

from parallax.errors import Fault, Sealed


def check_seal(overlap: pd.DataFrame, *, design: str) -> None:
    """Raise Sealed unless the primary ``design`` was applied to the real patients, is balanced and leaves enough of them (OVERLAP)."""
    row = overlap[overlap["design"] == design].iloc[0]
    reason = row["reason"] if row["status"] != "ok" else row["failure"]
    if pd.isna(reason):
        return
    raise Sealed(
        str(
            Fault(
                where=f"designs.{design}",
                found=f"among the real patients: {reason}",
                allowed="a balanced primary design with enough patients; no effect is computed before (validation.blinded)",
                remedy="choose another design, covariates or eligibility; the register counts the attempt",
            )
        )
    )
