"""Enrichment: cohorts that hold only synthetic patients of one subgroup, drawn from a generator that was fitted to everybody."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

import numpy as np
import pandas as pd

from parallax.errors import GenerationError
from parallax.expressions import evaluate
from parallax.protocol.enrichment import Enrichment, place_of
from parallax.synthesis.generator import FittedGenerator, select_subgroup
from parallax.synthesis.registry import Refitted, draw_replicates

#: most candidates drawn for each patient asked for: a subgroup must be at least one in so many of the generator's own patients
MOST_CANDIDATES: Final = 200
#: most candidates held at a time
_AT_ONCE: Final = 20_000

logger = logging.getLogger("parallax.synthesis")


@dataclass(frozen=True, slots=True)
class Enriching:
    """A fitted generator whose every draw keeps to a subgroup: candidates outside it are left out (rejection).

    Assumption
        The generator draws patients independently of each other, so that those who are kept follow its distribution given the subgroup, with
        whatever it takes the subgroup's patients to share with the others.
    Bound
        At most ``MOST_CANDIDATES`` candidates for each patient asked for, in batches of up to 20,000; each batch is planned from the share
        that was kept so far. The first is as large as the draw itself: a subgroup of everybody is the generator's own draw, bit for bit.
    """

    fitted: FittedGenerator
    keep: str
    where: str

    def draw(self, patients: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Synthetic patients of the subgroup, exactly as many as asked for; GenerationError where the bound is met before."""
        parts: list[pd.DataFrame] = []
        drawn, kept, size = 0, 0, min(patients, _AT_ONCE)
        while kept < patients and size:
            batch = self.fitted.draw(size, rng=rng)
            parts.append(batch[evaluate(batch, self.keep, where=self.where).to_numpy()])
            drawn, kept = drawn + size, kept + len(parts[-1])
            wanting, share = patients - kept, max(kept / drawn, 1 / MOST_CANDIDATES)
            size = min(ceil((wanting + 2 * sqrt(max(wanting, 0))) / share), _AT_ONCE, MOST_CANDIDATES * patients - drawn)
        if kept < patients:
            raise GenerationError(
                f"{self.where}: found fewer than {patients} such patients among {drawn} that the generator drew; allowed is a subgroup of at least "
                f"1 in {MOST_CANDIDATES} of its patients; widen the subgroup, or choose a generator that makes more of them"
            )
        logger.info("%s: %d patients from %d candidates", self.where, patients, drawn)
        return pd.concat(parts, ignore_index=True).head(patients)


def draw_enrichment(fitted: FittedGenerator | Refitted, real: pd.DataFrame, entry: Enrichment, *, where: str, seeds: Sequence[int]) -> pd.DataFrame:
    """A cohort table of a replicate for each of ``seeds``, every patient of it in the subgroup; ``real`` is the real cohort.

    Raises GenerationError where the real patients of the subgroup, or those whom the generator makes, are too few.
    """
    select_subgroup(real, entry.keep, where=where)
    chosen: FittedGenerator | Refitted
    if isinstance(fitted, Refitted):
        chosen = Refitted({replicate: Enriching(fit, entry.keep, where) for replicate, fit in fitted.fits.items()})
    else:
        chosen = Enriching(fitted, entry.keep, where)
    return draw_replicates(chosen, replicates=len(seeds), patients=entry.patients, seeds=seeds)


def draw_subgroups(
    fitted: FittedGenerator | Refitted, real: pd.DataFrame, entries: Sequence[Enrichment], *, seeds: Mapping[str, Sequence[int]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The enriched cohorts below each other, and ENRICHMENT_DRAWS; ``seeds`` by the entries' names.

    An entry depends on its own name and seeds alone, so that entries can be added, removed and put in another order.
    """
    parts: list[pd.DataFrame] = []
    rows: list[dict[str, str | None]] = []
    for number, entry in enumerate(entries):
        try:
            drawn = draw_enrichment(fitted, real, entry, where=place_of(number), seeds=seeds[entry.name])
        except GenerationError as error:
            rows.append({"enrichment": entry.name, "status": "failed", "reason": str(error)})
            continue
        rows.append({"enrichment": entry.name, "status": "ok", "reason": None})
        parts.append(drawn.assign(enrichment=entry.name))
    stacked = pd.concat(parts, ignore_index=True) if parts else real.head(0).assign(enrichment="")
    return stacked[["enrichment", *real.columns]], pd.DataFrame(rows)
