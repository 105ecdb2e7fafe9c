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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import lcm
from typing import Any, Final

import numpy as np
import pandas as pd

from parallax.errors import GenerationError
from parallax.protocol import Constraint, FixedCombinationsConstraint, InequalityConstraint, OrderConstraint, SdvSettings
from parallax.protocol.generators import AdversarialNetwork, CopulaGanGenerator, CtganGenerator, GaussianCopulaGenerator, TvaeGenerator
from parallax.synthesis.constraints import fill_in_order
from parallax.synthesis.encoding import decode, encode
from parallax.synthesis.generator import Context
from parallax.synthesis.progress import logged_epochs
from parallax.synthesis.records import Grid, RecordForm

_TABLE: Final = "patients"


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
        return self.form.restore(decode(sampled, self.form))


@dataclass(frozen=True, slots=True)
class SdvGenerator:
    """Set-up of an SDV synthesizer: the protocol's entry says which, and with which settings."""

    settings: SdvSettings

    def fit(self, cohort: pd.DataFrame, *, context: Context, rng: np.random.Generator) -> FittedSdv:
        """Fit to all columns at once."""
        _check_batches(self.settings, len(cohort))
        form, constraints = RecordForm.of(cohort, context), _learnable(context)
        filled = {
            str(name): column for each in constraints if isinstance(each, OrderConstraint) for name, column in fill_in_order(cohort, each).items()
        }
        table = encode(cohort, form, filled)
        with _own_state(int(rng.integers(2**31))), logged_epochs(self.settings.method):
            synthesizer = _construct(self.settings, table, form)
            try:
                if constraints:
                    synthesizer.add_constraints([_to_sdv(constraint) for constraint in constraints])
                synthesizer.fit({_TABLE: table})
            except (ValueError, ArithmeticError, RuntimeError) as fault:
                raise GenerationError(
                    f"{self.settings.method}: SDV could not be fitted ({type(fault).__name__}); its text is withheld, for it may hold values"
                ) from fault
        return FittedSdv(form, synthesizer, _device(synthesizer))


def _construct(settings: SdvSettings, table: pd.DataFrame, form: RecordForm) -> Any:
    from sdv.metadata import Metadata
    from sdv.single_table import CopulaGANSynthesizer, CTGANSynthesizer, GaussianCopulaSynthesizer, TVAESynthesizer

    columns = {name: {"sdtype": "numerical" if table[name].dtype == np.float64 else "categorical"} for name in table.columns}
    metadata = Metadata.load_from_dict({"tables": {_TABLE: {"columns": columns}}})
    options = settings.model_dump(exclude={"method", "gpu", "distributions"})
    if isinstance(settings, GaussianCopulaGenerator | CopulaGanGenerator):
        options |= _margins(settings, table, form)
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


def _margins(settings: GaussianCopulaGenerator | CopulaGanGenerator, table: pd.DataFrame, form: RecordForm) -> dict[str, Any]:
    """The default shape and the named ones; a covariate that is the same for all patients is not there and needs none.

    A beta distribution has no way to fit a count with many zeros or a scale of few values: it was off by up to 0.7 standard deviations in the
    mean of simulated counts where a kernel estimate was off by 0.03. ``by_rule`` therefore gives columns of shared values a kernel estimate.
    """
    named = {name: shape for name, shape in settings.distributions.items() if name in table}
    if settings.default_distribution != "by_rule":
        return {"default_distribution": settings.default_distribution, "numerical_distributions": named}
    times = {f"{name}_days" for name in form.follow_up}
    numeric = [name for name in table if table[name].dtype == np.float64 and name not in times]
    shared = {str(name): "gaussian_kde" for name in numeric if Grid.of(table[name].to_numpy()).listed is not None}
    return {"default_distribution": "beta", "numerical_distributions": shared | named}


def _check_batches(settings: SdvSettings, patients: int) -> None:
    """Raise GenerationError where a network could not be trained as it is set up; a reader sees the reason, so it counts no patients."""
    if isinstance(settings, GaussianCopulaGenerator):
        return
    if isinstance(settings, AdversarialNetwork) and settings.batch_size % lcm(2, settings.pac):
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
