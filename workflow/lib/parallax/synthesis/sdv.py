"""SDV's flat generators behind the project's interface: all columns at once, no notion of treatment or survival.

What SDV 2.0 does not do by itself is done here. It takes no seed: Python's, numpy's and torch's global states are set around a fit and given
back after it, and every draw resets the sampler and sets the model's own state. It draws missing numbers at random places, the same ones in
every replicate: missingness is therefore a column of its own, and SDV never sees a missing value. It has no administrative censoring: being
followed to the study's end is a third value beside event and censored. Metadata are written by hand from the protocol, not detected, and
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
from parallax.protocol import BinaryOutcome, GaussianCopulaGenerator, TvaeGenerator
from parallax.synthesis.generator import Context
from parallax.synthesis.records import RecordForm
from parallax.vocabulary import MISSING_LEVEL

_TABLE: Final = "patients"
_YES: Final = "yes"
_COMPLETED: Final = "completed"
#: how follow-up ends, by the cohort's code of the event
_ENDING: Final = {1: _YES} | {code: f"competing {code}" for code in range(2, 20)}


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
        return self.form.restore(_decode(sampled, self.form))


@dataclass(frozen=True, slots=True)
class SdvGenerator:
    """Set-up of an SDV synthesizer: the protocol's entry says which, and with which settings."""

    settings: GaussianCopulaGenerator | TvaeGenerator

    def fit(self, cohort: pd.DataFrame, *, context: Context, rng: np.random.Generator) -> FittedSdv:
        """Fit to all columns at once."""
        form = RecordForm.of(cohort, context)
        table = _encode(cohort, form)
        with _own_state(int(rng.integers(2**31))):
            synthesizer = _construct(self.settings, table)
            try:
                synthesizer.fit({_TABLE: table})
            except (ValueError, ArithmeticError, RuntimeError) as fault:
                raise GenerationError(
                    f"{self.settings.method}: SDV could not be fitted ({type(fault).__name__}); its text is withheld, for it may hold values"
                ) from fault
        return FittedSdv(form, synthesizer)


def _construct(settings: GaussianCopulaGenerator | TvaeGenerator, table: pd.DataFrame) -> Any:
    from sdv.metadata import Metadata
    from sdv.single_table import GaussianCopulaSynthesizer, TVAESynthesizer

    columns = {name: {"sdtype": "numerical" if table[name].dtype == np.float64 else "categorical"} for name in table.columns}
    metadata = Metadata.load_from_dict({"tables": {_TABLE: {"columns": columns}}})
    if isinstance(settings, GaussianCopulaGenerator):
        return GaussianCopulaSynthesizer(metadata, default_distribution=settings.default_distribution)
    return TVAESynthesizer(metadata, epochs=settings.epochs, batch_size=settings.batch_size, enable_gpu=False)


def _encode(cohort: pd.DataFrame, form: RecordForm) -> pd.DataFrame:
    """Numbers as floats without gaps, everything else as text: a column ``"x missing"`` where x has gaps; follow-up ends by yes (an
    event), a competing event, censored, or completed (the study's end)."""
    encoded: dict[str, Any] = {"treated": _flag(cohort["treated"])}
    for name in form.context.covariates.numeric:
        encoded[name] = cohort[name].fillna(cohort[name].median()).astype(np.float64)
        if cohort[name].isna().any():
            encoded[f"{name} missing"] = _flag(cohort[name].isna())
    for name in form.context.covariates.categorical:
        encoded[name] = cohort[name].fillna(MISSING_LEVEL).astype(object)
    for name, follow_up in form.follow_up.items():
        encoded[f"{name}_days"] = cohort[f"{name}_days"].astype(np.float64)
        completed = cohort[f"{name}_days"].eq(follow_up.administrative) if follow_up.administrative is not None else False
        ends = np.where(completed, _COMPLETED, "censored")
        kind = cohort[f"{name}_event"]
        encoded[f"{name}_event"] = kind.map(_ENDING).where(kind > 0, pd.Series(ends, index=cohort.index, dtype=object)).astype(object)
    for column in form.values:
        encoded[column] = _flag(cohort[column] == 1) if _is_flag(column, form) else cohort[column].astype(np.float64)
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
        kind = pd.Series(ending).map({text: code for code, text in _ENDING.items()}).fillna(0).to_numpy(np.int64)
        if follow_up.administrative is not None:
            earlier = np.where(kind > 0, days, np.minimum(days, follow_up.grid.before(follow_up.administrative)))
            days = np.where(ending == _COMPLETED, follow_up.administrative, earlier)
        drawn |= {f"{name}_days": days, f"{name}_event": kind}
    for column in form.values:
        drawn[column] = sampled[column].eq(_YES).to_numpy(float) if _is_flag(column, form) else sampled[column].to_numpy(float)
    return drawn


def _is_flag(column: str, form: RecordForm) -> bool:
    outcome = form.context.outcomes[column.removesuffix("_value")] if column.endswith("_value") else None
    return isinstance(outcome, BinaryOutcome)


def _flag(values: pd.Series) -> pd.Series:
    return pd.Series(np.where(values, _YES, "no"), index=values.index, dtype=object)


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
