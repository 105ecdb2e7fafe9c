"""What the report is made of: shown tables, the verdict, the protocol and where everything came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import pandas as pd

from parallax.errors import StorageError
from parallax.protocol.protocol import Protocol

#: tables with patients in them: they must have passed disclosure, which records its thresholds in their columns
_DISCLOSED = (
    "attrition",
    "characteristics",
    "score_histograms",
    "calibration",
    "positivity",
    "balance",
    "overlap",
    "curves",
    "combined",
    "subgroups",
    "enrichment",
    "measurement_counts",
    "hazard_course",
)


@dataclass(frozen=True, slots=True)
class SiteTables:
    """One site's shown tables; a mapping goes from dataset (``real`` or a generator) or generator to its table.

    A generator that crashed is simply not there; ``generation`` (GENERATION, all generators) and the verdict say why.
    """

    attrition: pd.DataFrame
    characteristics: pd.DataFrame
    score_histograms: Mapping[str, pd.DataFrame]
    calibration: Mapping[str, pd.DataFrame]
    positivity: Mapping[str, pd.DataFrame]
    balance: Mapping[str, pd.DataFrame]
    overlap: Mapping[str, pd.DataFrame]
    curves: Mapping[str, pd.DataFrame]
    combined: Mapping[str, pd.DataFrame]
    agreement: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    fidelity: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    privacy: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    coefficients: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    attribution: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    subgroups: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    interactions: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    robustness: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    hazard_course: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    enrichment: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    measurement_counts: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    series_fidelity: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    generation: pd.DataFrame | None = None

    def check_disclosed(self, site: str) -> None:
        """Raise StorageError where a table with patients in it did not pass disclosure."""
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name not in _DISCLOSED:
                continue
            for name, table in value.items() if isinstance(value, Mapping) else [("real", value)]:
                if "minimum_count" not in table.columns:
                    raise StorageError(
                        f"report: {entry.name} of {name} at {site}\n    found    an exact table\n    allowed  tables from aggregates/\n"
                        f"    to do    pass it through parallax.disclosure first"
                    )


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """Everything a report shows. ``verdict`` is the content of verdict.json, ``provenance`` nested names and values (versions, seeds, commit),
    ``certification`` the content of certification.csv; None where the study is not certified. ``pooled`` has the shown POOLED tables by dataset
    and ``pooling``, ``pooling_costs``, ``heterogeneity`` and ``site_overlap`` the contents of the files of these names; empty and None where
    nothing is pooled.
    ``external_control`` is the content of external_control.csv; None where no release stands beside a site's treated patients.
    """

    protocol: Protocol
    sites: Mapping[str, SiteTables]
    verdict: Mapping[str, object]
    provenance: Mapping[str, object]
    certification: pd.DataFrame | None = None
    pooled: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    pooling: pd.DataFrame | None = None
    pooling_costs: pd.DataFrame | None = None
    heterogeneity: pd.DataFrame | None = None
    site_overlap: pd.DataFrame | None = None
    external_control: pd.DataFrame | None = None
