"""Shadow models: the generator fitted again to random halves of the patients, and how near to each patient it then draws."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from parallax.errors import NotEstimable
from parallax.tables import SHADOW
from parallax.validation.neighbours import RecordSpace, find_nearest
from parallax.validation.records import RecordColumns
from parallax.validation.vulnerable import find_outliers, find_rare

#: more patients are not attacked
TARGETS: Final = 5_000
#: in standard deviations of a column: a record as near as this is as good as a copy
_COPY: Final = 1e-3


def measure_nearness(
    real: pd.DataFrame, member: NDArray[np.bool_], drawn: pd.DataFrame, *, columns: RecordColumns, rng: np.random.Generator
) -> pd.DataFrame:
    """The SHADOW table of one shadow model: who was a ``member`` of its half, (n,), and how near to each patient its replicates came.

    ``nearest`` is log d to the nearest of all ``drawn`` records, which a single copy moves; ``typical`` the mean over replicates of log d to each
    one's nearest record, a steadier measure of how densely it draws around the patient. d is the distance in ``RecordSpace``, at least 0.001.
    Of more than 5,000 patients ``rng`` picks those attacked: all shadow models need the same one. Raises NotEstimable where nothing was drawn.
    """
    if len(drawn) == 0:
        raise NotEstimable("no synthetic patients")
    space = RecordSpace.of([real, drawn], numeric=columns.numeric, categorical=columns.categorical)
    records, synthetic = space.place(real), space.place(drawn)
    targets = np.sort(rng.permutation(len(real))[:TARGETS])
    replicate = drawn["replicate"].to_numpy()
    logs = np.array([_log_distances(records[targets], synthetic[replicate == number]) for number in np.unique(replicate)])
    groups = {"outlier": find_outliers(records), "rare": find_rare(real, columns.categorical)}
    return SHADOW.validate(
        pd.DataFrame(
            {
                "patient_id": real["patient_id"].iloc[targets].array,
                "member": member[targets],
                **{name: group[targets] for name, group in groups.items()},
                "nearest": logs.min(axis=0),
                "typical": logs.mean(axis=0),
            }
        )
    )


def _log_distances(records: NDArray[np.float32], among: NDArray[np.float32]) -> NDArray[np.float64]:
    distances: NDArray[np.float64] = np.log(np.maximum(find_nearest(records, among).distance, _COPY))
    return distances
