"""The ways to pool individual patients of several sites: who is in each, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import pandas as pd

from parallax.analysis.designs import apply_designs
from parallax.analysis.effects import estimate_effects
from parallax.pooling import PooledSettings, pool_cohorts
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.validation import Gates
from parallax.tables import POOLED, POOLED_OVERLAP, empty_table
from parallax.validation.combining import combine, leave_out, take_real
from parallax.validation.rules import Fit
from parallax.vocabulary import Way

ELSEWHERE: Final = "its real patients are elsewhere"
#: of a site whose release alone is here
NOTHING_SENT: Final = f"{ELSEWHERE}, and it sent no site results"


@dataclass(frozen=True, slots=True)
class Released:
    """A site's replicates from its release: of which ``generator``, from how many real ``patients`` (n), and whether a signature was checked."""

    cohort: pd.DataFrame
    generator: str
    patients: int
    signed: bool


_NO_RELEASE: Final[Mapping[str, Released]] = MappingProxyType({})
_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Pool:
    """Who is pooled: cohorts by site, the ``patients`` (real ones) that a synthetic cohort was made from, and whom the way leaves out, and why.

    ``unverified`` names sites whose release no public key vouches for.
    """

    way: Way
    real: Mapping[str, pd.DataFrame]
    synthetic: Mapping[str, pd.DataFrame]
    patients: Mapping[str, int]
    left_out: Mapping[str, str]
    unverified: tuple[str, ...] = ()

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites whose patients are in it."""
        return (*self.real, *self.synthetic)

    @property
    def known(self) -> int:
        """n: the real patients that its knowledge rests on, be they in it or not."""
        return sum(len(cohort) for cohort in self.real.values()) + sum(self.patients[site] for site in self.synthetic)

    @property
    def shared(self) -> str:
        """What has to leave a site for it; nothing where there is nothing to pool."""
        if self.obstacle is not None:
            return "nothing"
        # the real patients of one site stay where they are
        moved = {"real": self.real if len(self.real) > 1 else {}, "synthetic": self.synthetic}
        told = [f"{kind} patients of {' and '.join(sites)}" for kind, sites in moved.items() if sites]
        unverified = [site for site in self.unverified if site in self.synthetic]
        return "; ".join(told + [f"not verified by a signature: {', '.join(unverified)}"] * bool(unverified))

    @property
    def obstacle(self) -> str | None:
        """Why there is nothing to pool; None where there is."""
        if len(self.sites) > 1 and (self.synthetic or self.way == "individual_real"):
            return None
        lacking = "no other site has" if self.way == "individual_mixed" else "fewer than two sites have"
        return f"{lacking} synthetic patients that were released" + (f" ({self.told})" if self.told else "")

    @property
    def told(self) -> str | None:
        """Who is left out, and why, in words."""
        return "; ".join(f"{site}: {reason}" for site, reason in self.left_out.items()) or None


def pool_real(real: Mapping[str, pd.DataFrame], *, left_out: Mapping[str, str] = _NOBODY) -> Pool:
    """Way 1: every site's real patients; ``left_out``, and why: sites whose real patients are not here."""
    return Pool("individual_real", real, {}, {}, left_out)


def pool_generator(
    real: Mapping[str, pd.DataFrame],
    synthetic: Mapping[str, pd.DataFrame],
    *,
    generator: str,
    verdicts: Mapping[str, str],
    here: tuple[str, ...],
    elsewhere: Mapping[str, Released] = _NO_RELEASE,
) -> tuple[Pool, ...]:
    """Ways 3 and 4 of one generator: the sites' synthetic patients, and beside the real ones of the sites ``here``, where there are any.

    ``verdicts`` by site: a site whose generator may not be released is left out with that reason. ``elsewhere``: the releases of sites whose real
    patients are not here, by site; one of another generator is left out.
    """
    kept_back = {site: f"verdict {verdict.replace('_', ' ')}" for site, verdict in verdicts.items() if verdict != "release"}
    kept_back |= {site: f"its release is of {found.generator}" for site, found in elsewhere.items() if found.generator != generator}
    drawn = {**synthetic, **{site: found.cohort for site, found in elsewhere.items()}}
    released = {site: cohort for site, cohort in drawn.items() if site not in kept_back and len(cohort)}
    patients = {site: len(cohort) for site, cohort in real.items()} | {site: found.patients for site, found in elsewhere.items()}
    unverified = tuple(site for site, found in elsewhere.items() if not found.signed)
    ways = [Pool("individual_synthetic", {}, released, patients, kept_back, unverified)]
    if here:
        others = {site: cohort for site, cohort in released.items() if site not in here}
        missing = {site: reason for site, reason in kept_back.items() if site not in here}
        ways.append(Pool("individual_mixed", {site: real[site] for site in here}, others, patients, missing, unverified))
    return tuple(ways)


def answer(
    pool: Pool,
    settings: PooledSettings,
    *,
    targets: pd.DataFrame,
    outcomes: OutcomesSection,
    gates: Gates,
    fit: Fit,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the study answers on a pool: POOLED and POOLED_OVERLAP.

    Real patients answer as they are. With synthetic ones, replicate i of every site is one cohort, and the cohorts are combined by the rules of
    :func:`parallax.validation.combining.combine`, with n the real patients behind the pool (:attr:`Pool.known`) and k the patients of a pooled
    replicate: of a pool with real patients in it, the partial rule's v·k/n + b/m holds as it stands, since k = n and since b sees only what is
    drawn anew (docs/decisions/0071); its other rules are then on the safe side. ``targets`` is a site's COMBINED table of the real patients:
    where there is nothing to pool, each of its rows is not estimable.
    """
    described = {
        "way": pool.way,
        "sites": ", ".join(pool.sites),
        "left_out": pool.told,
        "shared": pool.shared,
    }
    if pool.obstacle is not None:
        return POOLED.validate(_label(leave_out(targets, pool.obstacle), described, POOLED)), empty_table(POOLED_OVERLAP)
    cohort = pool_cohorts(pool.real, pool.synthetic)
    how: dict[str, Any] = {"covariates": settings.covariates, "designs": settings.designs, "propensity": settings.propensity, "seed": seed}
    designed = apply_designs(cohort, **how, imbalance=gates.imbalance, effective_patients=gates.effective_patients)
    how |= {"weights": designed.weights, "overlap": designed.overlap, "scores": designed.propensity}
    estimates = estimate_effects(cohort, **how, outcomes=outcomes).estimates
    if pool.synthetic:
        sizes = {int(str(replicate)): int(size) for replicate, size in cohort.groupby("replicate").size().items()}
        combined = combine(estimates, patients=pool.known, synthetic=sizes, fit=fit, not_estimable=gates.replicates_not_estimable)
    else:
        combined = take_real(estimates)
    return POOLED.validate(_label(combined, described, POOLED)), POOLED_OVERLAP.validate(_label(designed.overlap, described, POOLED_OVERLAP))


def _label(table: pd.DataFrame, described: Mapping[str, str | None], schema: Any) -> pd.DataFrame:
    return table.assign(**{name: text for name, text in described.items() if name in schema.columns})[list(schema.columns)]
