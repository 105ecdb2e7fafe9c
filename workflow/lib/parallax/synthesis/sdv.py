"""SDV's flat generators behind the project's interface: all columns at once, no notion of treatment or survival.

What SDV 2.0 does not do by itself is done here. It takes no seed: Python's, numpy's and torch's global states are set around a fit and given
back after it, and every draw resets the sampler and sets the model's own state. It draws missing numbers at random places, the same ones in
every replicate: missingness is therefore a column of its own, and SDV never sees a missing value. It has no administrative censoring: being
followed to the study's end is one more value beside the events and censored. Metadata are written by hand from the protocol, not detected, and
stay inside the model.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from parallax.errors import GenerationError
from parallax.protocol.generators import CopulaGanGenerator, CtganGenerator, GaussianCopulaGenerator, TvaeGenerator
from parallax.synthesis.encoding import decode, encode
from parallax.synthesis.generator import Context
from parallax.synthesis.records import RecordForm

SdvSettings = GaussianCopulaGenerator | CopulaGanGenerator | CtganGenerator | TvaeGenerator

_TABLE: Final = "patients"


@dataclass(frozen=True, slots=True)
class FittedSdv:
    """A fitted SDV synthesizer and the form that its records must take."""

    form: RecordForm
    synthesizer: Any

    def draw(self, patients: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Synthetic patients, on the real grids and levels."""
        seed = int(rng.integers(2**31))
        with _own_state(seed):
            self.synthesizer.reset_sampling()
            self.synthesizer._set_random_state(seed)
            sampled = self.synthesizer.sample(patients)[_TABLE]
        return self.form.restore(decode(sampled, self.form))


@dataclass(frozen=True, slots=True)
class SdvGenerator:
    """Set-up of an SDV synthesizer: the protocol's entry says which, and with which settings."""

    settings: SdvSettings

    def fit(self, cohort: pd.DataFrame, *, context: Context, rng: np.random.Generator) -> FittedSdv:
        """Fit to all columns at once."""
        form = RecordForm.of(cohort, context)
        table = encode(cohort, form)
        with _own_state(int(rng.integers(2**31))):
            synthesizer = _construct(self.settings, table)
            try:
                synthesizer.fit({_TABLE: table})
            except (ValueError, ArithmeticError, RuntimeError) as fault:
                raise GenerationError(
                    f"{self.settings.method}: SDV could not be fitted ({type(fault).__name__}); its text is withheld, for it may hold values"
                ) from fault
        return FittedSdv(form, synthesizer)


def _construct(settings: SdvSettings, table: pd.DataFrame) -> Any:
    from sdv.metadata import Metadata
    from sdv.single_table import CopulaGANSynthesizer, CTGANSynthesizer, GaussianCopulaSynthesizer, TVAESynthesizer

    columns = {name: {"sdtype": "numerical" if table[name].dtype == np.float64 else "categorical"} for name in table.columns}
    metadata = Metadata.load_from_dict({"tables": {_TABLE: {"columns": columns}}})
    if isinstance(settings, GaussianCopulaGenerator):
        unknown = [name for name in settings.distributions if name not in table.columns or table[name].dtype != np.float64]
        if unknown:
            found = f'"{unknown[0]}", no numeric column of the cohort'
            raise GenerationError(f"gaussian_copula: distributions: found {found}; allowed are numeric covariates and times; correct the name")
        margins = dict(settings.distributions)
        return GaussianCopulaSynthesizer(metadata, default_distribution=settings.default_distribution, numerical_distributions=margins)
    trained: dict[str, Any] = {"epochs": settings.epochs, "batch_size": settings.batch_size, "enable_gpu": settings.gpu}
    if isinstance(settings, TvaeGenerator):
        return TVAESynthesizer(metadata, **trained)
    # the critic sees ten patients at a time (Xu et al. 2019, section 4.4), where the batch divides by ten
    pac = 10 if settings.batch_size % 10 == 0 else 1
    return (CTGANSynthesizer if isinstance(settings, CtganGenerator) else CopulaGANSynthesizer)(metadata, **trained, pac=pac)


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
