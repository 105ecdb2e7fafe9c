"""How many patients, or replicates, the agreement gate would need to catch a flat copula."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pandas as pd
from scipy.special import ndtr

from parallax.errors import NotEstimable

#: beyond, a number is no advice
_MOST_PATIENTS: Final = 1_000_000
_MOST_REPLICATES: Final = 1_000


@dataclass(frozen=True, slots=True)
class GatePower:
    """The power of the gate |shift| > c against one wrong generator.

    Assumption
        The shift is normal. Its mean δ is the generator's bias over the real standard error: the bias does not depend on n, the standard error
        goes with 1/√n, so that δ(n') = δ √(n'/n). Its variance σ², of estimates that all have variances of the order 1/n, does not depend on n;
        of it b/m is the replicates' (b the variance between replicates in variances of the real estimate), so that σ²(m') = σ² − b/m + b/m'. With one
        replicate b is not known, and what more of them would do is not said.
    Formula
        P(n', m') = Φ{(−c − δ√(n'/n))/σ(m')} + 1 − Φ{(c − δ√(n'/n))/σ(m')}.
    """

    shift: float
    deviation: float
    between: float
    patients: int
    replicates: int
    threshold: float

    @classmethod
    def of(cls, studies: pd.DataFrame, *, patients: int, replicates: int, threshold: float) -> Self:
        """From the answers (SIMULATED_STUDIES) of one generator and effect that the gate judged; raises NotEstimable with fewer than two."""
        known = studies[studies["passed"].notna()]
        if len(known) < 2:
            raise NotEstimable("fewer than two simulated studies could be judged")
        return cls(float(known["shift"].mean()), float(known["shift"].std(ddof=1)), float(known["between"].mean()), patients, replicates, threshold)

    def at(self, *, patients: int | None = None, replicates: int | None = None) -> float:
        """The share caught with so many patients and replicates (None: as it is)."""
        shift = self.shift * math.sqrt((patients or self.patients) / self.patients)
        fewer = 1 / (replicates or self.replicates) - 1 / self.replicates
        variance = self.deviation**2 + (self.between * fewer if fewer else 0.0)
        if variance <= 0.0:
            return float(abs(shift) > self.threshold)
        spread = math.sqrt(variance)
        return float(ndtr((-self.threshold - shift) / spread) + ndtr((shift - self.threshold) / spread))

    def patients_for(self, power: float) -> int | None:
        """The fewest patients, a power of 1.02 above those there are and rounded up to two digits, with this power; None: not a million."""
        count = float(self.patients)
        while count <= _MOST_PATIENTS:
            rounded = _two_digits(count)
            if rounded >= self.patients and self.at(patients=rounded) >= power:
                return rounded
            count *= 1.02
        return None

    def replicates_for(self, power: float) -> int | None:
        """The fewest replicates, not below those there are, with this power; None: not a thousand would do."""
        found = (number for number in range(self.replicates, _MOST_REPLICATES + 1) if self.at(replicates=number) >= power)
        return next(found, None)


def _two_digits(count: float) -> int:
    unit = 10 ** max(int(np.floor(np.log10(count))) - 1, 0)
    return int(np.ceil(count / unit) * unit)
