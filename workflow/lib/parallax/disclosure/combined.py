"""Combined estimates as they may be shown."""

from __future__ import annotations

import numpy as np
import pandas as pd

from parallax.disclosure.counts import is_small, record_thresholds, suppress_counts
from parallax.protocol.disclosure import DisclosureSection


def disclose_combined(combined: pd.DataFrame, disclosure: DisclosureSection) -> pd.DataFrame:
    """Estimates as they are, counts suppressed or rounded.

    Events are also suppressed where the patients without one are few: the total would give them away.
    """
    shown = combined.copy()
    for arm in ("treated", "comparator"):
        patients, events = (combined[f"{name}_{arm}"].to_numpy(dtype=np.float64) for name in ("n", "events"))
        shown[f"n_{arm}"] = suppress_counts(patients, disclosure)
        shown[f"events_{arm}"] = suppress_counts(events, disclosure, also=is_small(patients - events, disclosure))
    return record_thresholds(shown, disclosure)
