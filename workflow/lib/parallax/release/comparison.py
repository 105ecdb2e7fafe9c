"""Two runs of one study, as a rule one on a release and one on real patients: estimate by estimate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pandas as pd

from parallax.errors import ReleaseError
from parallax.protocol.protocol import digest_of, shared_of
from parallax.protocol.question import PrimaryEstimate
from parallax.reporting.wording import describe_effect, estimate_words, plain
from parallax.validation.registration import differences, find_protocol
from parallax.vocabulary import RATIO_CONTRASTS, REAL

KEYS: Final = ("site", "design", "outcome", "contrast", "horizon_days")
_NUMBERS: Final = ("estimate", "lower", "upper", "std_error")
_SHOWN: Final = (*_NUMBERS, "status", "reason")


@dataclass(frozen=True, slots=True)
class Results:
    """A finished study: the protocol that its verdict is of, as plain content, and ``estimates.csv``."""

    protocol: Mapping[str, Any]
    estimates: pd.DataFrame

    @classmethod
    def of(cls, register: str, verdict: Mapping[str, Any], estimates: pd.DataFrame) -> Self:
        """From what a study's folder holds, which may come from anywhere.

        Raises StorageError where the register does not hold the verdict's protocol, KeyError or ValueError where a column is missing or is no number.
        """
        table = estimates[["dataset", *KEYS, *_SHOWN]].astype(dict.fromkeys(("horizon_days", *_NUMBERS), "float64"))
        return cls(find_protocol(register, verdict["protocol_digest"]), table)

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites whose patients it has."""
        return tuple(self.protocol["data"]["sites"])

    @property
    def ai_generated(self) -> tuple[str, ...]:
        """The sites whose patients come from a release."""
        return tuple(site for site, source in self.protocol["data"]["sites"].items() if source["source"] == "release")

    @property
    def answers(self) -> pd.DataFrame:
        """What it says of every site's own patients."""
        return self.estimates[(self.estimates["dataset"] == REAL) & self.estimates["site"].isin(self.sites)]


def check_same_study(this: Results, other: Results) -> None:
    """Raises ReleaseError, with the keys that differ, where the two protocols differ in more than what is of one place, or share no site."""
    mine, theirs = (shared_of(results.protocol) for results in (this, other))
    if digest_of(mine) != digest_of(theirs):
        raise ReleaseError(
            f"the two studies\n    found    protocols that differ in {', '.join(differences(mine, theirs))}\n"
            "    allowed  protocols that are equal but for data, pooling and synthesis.at_sites\n"
            "    to do    run one of the two again under the other's protocol, with its own data"
        )
    here, there = this.sites, other.sites
    if not set(here) & set(there):
        raise ReleaseError(
            f"the two studies\n    found    no site in common: {', '.join(here)}; {', '.join(there)}\n"
            "    allowed  at least one site of the same name\n    to do    give the site the name that it has in the other protocol, and run again"
        )


def compare_results(this: Results, other: Results) -> pd.DataFrame:
    """The two studies' answers on their patients: one row per site, design, outcome, contrast and horizon; no pooled ones.

    ``difference_in_se``: this estimate less the other, on the analysis scale (logarithm for ratios), in standard errors of the study on real
    patients; of this one where both or neither are. ``ci_overlap``: ½[s/(U₁ − L₁) + s/(U₂ − L₂)] with s = min U − max L, below zero where the
    intervals are apart. Both are missing where one of the two has no estimate. Raises ReleaseError as :func:`check_same_study`.
    """
    check_same_study(this, other)
    sides = {"this": this, "other": other}
    answers = {side: results.answers.set_index(list(KEYS))[list(_SHOWN)].add_prefix(f"{side}_") for side, results in sides.items()}
    joined = answers["this"].join(answers["other"], how="inner").reset_index()
    ratio = joined["contrast"].isin(RATIO_CONTRASTS).to_numpy(bool)
    scaled = {
        f"{side}_{name}": _analysis(joined[f"{side}_{name}"].to_numpy(float), ratio) for side in sides for name in ("estimate", "lower", "upper")
    }
    shared = np.minimum(scaled["this_upper"], scaled["other_upper"]) - np.maximum(scaled["this_lower"], scaled["other_lower"])
    told = {side: np.where(joined["site"].isin(results.ai_generated), "AI-generated", "real") for side, results in sides.items()}
    theirs = (told["this"] != "real") & (told["other"] == "real")
    error = np.where(theirs, joined["other_std_error"], joined["this_std_error"]).astype(float)
    width = {side: scaled[f"{side}_upper"] - scaled[f"{side}_lower"] for side in sides}
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = (scaled["this_estimate"] - scaled["other_estimate"]) / error
        overlap = (shared / width["this"] + shared / width["other"]) / 2
    placed = joined.assign(difference_in_se=difference, ci_overlap=overlap, this_patients=told["this"], other_patients=told["other"])
    columns = [*KEYS, "difference_in_se", "ci_overlap", *(f"{side}_{name}" for side in sides for name in ("patients", *_SHOWN))]
    return placed[columns].replace([np.inf, -np.inf], np.nan)


def summarise_comparison(comparison: pd.DataFrame, primary: PrimaryEstimate, path: str) -> str:
    """The primary estimate of both studies in a few lines, and where the rest is."""
    rows = comparison[
        (comparison["design"] == primary.design)
        & (comparison["outcome"] == primary.outcome)
        & (comparison["contrast"] == primary.contrast)
        & (comparison["horizon_days"].fillna(-1) == (-1 if primary.horizon_days is None else primary.horizon_days))
    ]
    effect = describe_effect(primary.outcome, primary.contrast, primary.horizon_days)
    lines = [f"{effect[0].upper()}{effect[1:]}, design {plain(primary.design)}", ""]
    for row in rows.to_dict("records"):
        for side in ("this", "other"):
            numbers = [float(row[f"{side}_{name}"]) for name in ("estimate", "lower", "upper")]
            answer = estimate_words(primary.contrast, *numbers) if row[f"{side}_status"] == "ok" else "not estimable"
            lines.append(f"  {plain(row['site'])}, {side} study ({row[f'{side}_patients']} patients): {answer}")
        if np.isfinite(row["difference_in_se"]):
            lines.append(f"  difference {row['difference_in_se']:+.2f} SE, overlap of the intervals {row['ci_overlap']:.2f}")
    if {"AI-generated"} & set(comparison["this_patients"]).union(comparison["other_patients"]):
        lines += ["", "  intervals of AI-generated patients are naive: of one replicate, too narrow"]
    return "\n".join([*lines, f"  all estimates  {path}"])


def _analysis(values: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(ratio, np.log(np.where(ratio, values, 1.0)), values), dtype=np.float64)
