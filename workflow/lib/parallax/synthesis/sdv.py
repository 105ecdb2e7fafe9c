"""SDV's flat generators behind the project's interface: all columns at once, no notion of treatment or survival.

What SDV 2.0 does not do by itself is done here. It takes no seed: Python's, numpy's and torch's global states are set around a fit and given
back after it, and every draw resets the sampler and sets the model's own state. It draws missing numbers at random places, the same ones in
every replicate: missingness is therefore a column of its own, and SDV never sees a missing value. It has no administrative censoring: being
followed to the study's end is one more value beside the events and censored. Metadata are written by hand from the protocol, not detected, and
stay inside the model. A network that is read back moves to whatever GPU it finds: it is put where it was fitted before it draws.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import lcm
from typing import Any, Final

import numpy as np
import pandas as pd

from parallax.errors import GenerationError
from parallax.protocol import Constraint, FixedCombinationsConstraint, InequalityConstraint, OrderConstraint, SdvSettings
from parallax.protocol.generators import CopulaGanGenerator, CtganGenerator, GaussianCopulaGenerator, TvaeGenerator
from parallax.protocol.outcomes import BinaryOutcome
from parallax.synthesis.constraints import fill_in_order
from parallax.synthesis.generator import Context
from parallax.synthesis.progress import logged_epochs
from parallax.synthesis.records import RecordForm
from parallax.vocabulary import MISSING_LEVEL

_TABLE: Final = "patients"
_YES: Final = "yes"
_NO: Final = "no"
_CENSORED: Final = "censored"
_COMPLETED: Final = "completed"


@dataclass(frozen=True, slots=True)
class FittedSdv:
    """A fitted SDV synthesizer and the form that its records must take."""

    form: RecordForm
    synthesizer: Any
    device: str = "cpu"
    """Where it was fitted and where it draws; bits are promised on ``cpu`` alone."""

    def draw(self, patients: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Synthetic patients, on the real grids and levels."""
        seed = int(rng.integers(2**31))
        with _own_state(seed):
            if (model := _network(self.synthesizer)) is not None:
                model.set_device(self.device)
            self.synthesizer.reset_sampling()
            self.synthesizer._set_random_state(seed)
            sampled = self.synthesizer.sample(patients)[_TABLE]
        if len(sampled) != patients:
            raise GenerationError("SDV: found fewer patients than were asked for; allowed is exactly as many; loosen the constraints")
        return self.form.restore(_decode(sampled, self.form))


@dataclass(frozen=True, slots=True)
class SdvGenerator:
    """Set-up of an SDV synthesizer: the protocol's entry says which, and with which settings."""

    settings: SdvSettings

    def fit(self, cohort: pd.DataFrame, *, context: Context, rng: np.random.Generator) -> FittedSdv:
        """Fit to all columns at once."""
        _check_batches(self.settings, len(cohort))
        form, constraints = RecordForm.of(cohort, context), _learnable(context)
        table = _encode(cohort, form, constraints)
        with _own_state(int(rng.integers(2**31))), logged_epochs(self.settings.method):
            synthesizer = _construct(self.settings, table)
            try:
                if constraints:
                    synthesizer.add_constraints([_to_sdv(constraint) for constraint in constraints])
                synthesizer.fit({_TABLE: table})
            except (ValueError, ArithmeticError, RuntimeError) as fault:
                raise GenerationError(
                    f"{self.settings.method}: SDV could not be fitted ({type(fault).__name__}); its text is withheld, for it may hold values"
                ) from fault
        return FittedSdv(form, synthesizer, _device(synthesizer))


def _construct(settings: SdvSettings, table: pd.DataFrame) -> Any:
    from sdv.metadata import Metadata
    from sdv.single_table import CopulaGANSynthesizer, CTGANSynthesizer, GaussianCopulaSynthesizer, TVAESynthesizer

    columns = {name: {"sdtype": "numerical" if table[name].dtype == np.float64 else "categorical"} for name in table.columns}
    metadata = Metadata.load_from_dict({"tables": {_TABLE: {"columns": columns}}})
    options = settings.model_dump(exclude={"method", "gpu", "distributions"})
    if isinstance(settings, GaussianCopulaGenerator | CopulaGanGenerator):
        options["numerical_distributions"] = {name: shape for name, shape in settings.distributions.items() if name in columns}
    if not isinstance(settings, GaussianCopulaGenerator):
        options["enable_gpu"] = settings.gpu
    match settings:
        case GaussianCopulaGenerator():
            return GaussianCopulaSynthesizer(metadata, **options)
        case TvaeGenerator():
            return TVAESynthesizer(metadata, **options)
        case CopulaGanGenerator():
            return CopulaGANSynthesizer(metadata, **options)
        case CtganGenerator():
            return CTGANSynthesizer(metadata, **options)


def _check_batches(settings: SdvSettings, patients: int) -> None:
    """Raise GenerationError where a network could not be trained as it is set up; a reader sees the reason, so it counts no patients."""
    if isinstance(settings, GaussianCopulaGenerator):
        return
    if isinstance(settings, CtganGenerator) and settings.batch_size % lcm(2, settings.pac):
        raise GenerationError(
            f"batch_size: found {settings.batch_size} with pac {settings.pac}; allowed is an even multiple of pac; change one of the two"
        )
    if settings.batch_size > patients:
        raise GenerationError(
            f"batch_size: found {settings.batch_size}, more than there are patients; allowed is at most their number, also without those held "
            "out for privacy; lower it, to a tenth of them for instance"
        )


def _network(synthesizer: Any) -> Any | None:
    """The network inside a fitted synthesizer; None where there is none."""
    model = getattr(synthesizer, "_model", None)
    return model if hasattr(model, "set_device") else None


def _device(synthesizer: Any) -> str:
    model = _network(synthesizer)
    return "cpu" if model is None else str(model._device.type)


def _learnable(context: Context) -> tuple[Constraint, ...]:
    """The constraints that SDV can build into its model: those on columns that vary and that no earlier one has taken."""
    free, learnable = set(context.covariates.names), []
    for constraint in context.constraints:
        if free.issuperset(constraint.columns):
            learnable.append(constraint)
            free.difference_update(constraint.columns)
    return tuple(learnable)


def _to_sdv(constraint: Constraint) -> Any:
    from sdv.cag import FixedCombinations, Inequality, Range

    if isinstance(constraint, FixedCombinationsConstraint):
        return FixedCombinations(list(constraint.columns))
    if isinstance(constraint, InequalityConstraint):
        return Inequality(constraint.low, constraint.high, strict_boundaries=constraint.strict)
    return Range(constraint.low, constraint.middle, constraint.high, strict_boundaries=constraint.strict)


def _encode(cohort: pd.DataFrame, form: RecordForm, constraints: Sequence[Constraint] = ()) -> pd.DataFrame:
    """Numbers as floats without gaps, everything else as text: a column ``"x missing"`` where x has gaps; follow-up ends by yes (the
    event), a competing event, censored, or completed (the study's end). Gaps in ordered columns are filled in order."""
    ordered = {name: filled for each in constraints if isinstance(each, OrderConstraint) for name, filled in fill_in_order(cohort, each).items()}
    encoded: dict[str, Any] = {"treated": _flag(cohort["treated"])}
    for name in form.context.covariates.numeric:
        encoded[name] = ordered[name] if name in ordered else cohort[name].fillna(cohort[name].median()).astype(np.float64)
        if cohort[name].isna().any():
            encoded[f"{name} missing"] = _flag(cohort[name].isna())
    for name in form.context.covariates.categorical:
        encoded[name] = cohort[name].fillna(MISSING_LEVEL).astype(object)
    for name, follow_up in form.follow_up.items():
        encoded[f"{name}_days"] = cohort[f"{name}_days"].astype(np.float64)
        ends = np.full(len(cohort), _CENSORED, dtype=object)
        if follow_up.administrative is not None:
            ends[cohort[f"{name}_days"].eq(follow_up.administrative).to_numpy()] = _COMPLETED
        for text, code in _event_codes(form, name).items():
            ends[cohort[f"{name}_event"].eq(code).to_numpy()] = text
        encoded[f"{name}_event"] = pd.Series(ends, index=cohort.index, dtype=object)
    for name in form.values:
        encoded[name] = _flag(cohort[name].eq(1.0)) if name in _binary_columns(form) else cohort[name].astype(np.float64)
    return pd.DataFrame(encoded).reset_index(drop=True)


def _decode(sampled: pd.DataFrame, form: RecordForm) -> dict[str, Any]:
    drawn: dict[str, Any] = {"treated": sampled["treated"].eq(_YES).to_numpy()}
    for name in form.context.covariates.numeric:
        values = sampled[name].to_numpy(float)
        gaps = f"{name} missing"
        drawn[name] = np.where(sampled[gaps].eq(_YES), np.nan, values) if gaps in sampled else values
    for name in form.context.covariates.categorical:
        levels = sampled[name].astype(object)
        drawn[name] = levels.where(levels != MISSING_LEVEL, None).to_numpy()
    for name, follow_up in form.follow_up.items():
        days = sampled[f"{name}_days"].to_numpy(float)
        ending = sampled[f"{name}_event"].to_numpy()
        codes = pd.Series(ending, dtype=object).map(_event_codes(form, name)).fillna(0).to_numpy(np.int64)
        if follow_up.administrative is not None:
            earlier = np.where(codes > 0, days, np.minimum(days, follow_up.grid.before(follow_up.administrative)))
            days = np.where(ending == _COMPLETED, follow_up.administrative, earlier)
        drawn |= {f"{name}_days": days, f"{name}_event": codes}
    for name in form.values:
        drawn[name] = sampled[name].eq(_YES).to_numpy(float) if name in _binary_columns(form) else sampled[name].to_numpy(float)
    return drawn


def _event_codes(form: RecordForm, name: str) -> dict[str, int]:
    competing = form.context.outcomes.survival[name].competing
    return {_YES: 1} | {f"competing {place}": place + 1 for place in range(1, len(competing) + 1)}


def _binary_columns(form: RecordForm) -> frozenset[str]:
    return frozenset(f"{name}_value" for name, outcome in form.context.outcomes.values.items() if isinstance(outcome, BinaryOutcome))


def _flag(values: pd.Series) -> pd.Series:
    return pd.Series(np.where(values, _YES, _NO), index=values.index, dtype=object)


@contextmanager
def _own_state(seed: int) -> Iterator[None]:
    """One thread and seeded global random states, put back afterwards; SDV's warnings and its log of calls are kept quiet."""
    import torch
    from joblib import parallel_config  # type: ignore[import-untyped, unused-ignore]
    from sdv.logging import disable_single_table_logger

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002 -- SDV uses the global one
    threads = torch.get_num_threads()
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings(), disable_single_table_logger(), parallel_config(backend="sequential"):
            warnings.simplefilter("ignore")
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])
        torch.set_num_threads(threads)
