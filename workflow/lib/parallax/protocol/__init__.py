"""The study protocol: frozen, typed, every default part of it. Light to import: no pandas, no numpy, no DuckDB.

``parallax.protocol.loading`` reads one from a file; ``parallax.protocol.checks`` holds what no single section can know.
"""

from __future__ import annotations

from parallax.protocol.cohort import Arms, CohortSection, Covariates, Criterion
from parallax.protocol.constraints import Constraint, FixedCombinationsConstraint, InequalityConstraint, OrderConstraint, RangeConstraint
from parallax.protocol.data import DataSection, FileColumn, FileSource, PackageSource, ReleasedFolder, ReleaseSource, Source
from parallax.protocol.designs import CoarsenDesign, CrudeDesign, Design, DesignsSection, EntropyDesign, MatchDesign, Trim, WeightDesign
from parallax.protocol.disclosure import DisclosureSection
from parallax.protocol.generators import (
    CopulaGanGenerator,
    CtganGenerator,
    GaussianCopulaGenerator,
    Generator,
    SdvSettings,
    SequentialGenerator,
    TvaeGenerator,
)
from parallax.protocol.measurements import Measurement, MeasurementFile
from parallax.protocol.outcomes import BinaryOutcome, ContinuousOutcome, CountOutcome, Outcome, OutcomesSection, SurvivalOutcome
from parallax.protocol.propensity import BoostedScore, EnsembleScore, LogisticScore, PenalisedScore, PropensityModel, PropensitySection
from parallax.protocol.protocol import Protocol
from parallax.protocol.question import Hypothesis, PrimaryEstimate, QuestionSection
from parallax.protocol.study import StudySection
from parallax.protocol.synthesis import SynthesisSection
from parallax.protocol.validation import Certification, Gates, ValidationSection

__all__ = [
    "Arms",
    "BinaryOutcome",
    "BoostedScore",
    "Certification",
    "CoarsenDesign",
    "CohortSection",
    "Constraint",
    "ContinuousOutcome",
    "CopulaGanGenerator",
    "CountOutcome",
    "Covariates",
    "Criterion",
    "CrudeDesign",
    "CtganGenerator",
    "DataSection",
    "Design",
    "DesignsSection",
    "DisclosureSection",
    "EnsembleScore",
    "EntropyDesign",
    "FileColumn",
    "FileSource",
    "FixedCombinationsConstraint",
    "Gates",
    "GaussianCopulaGenerator",
    "Generator",
    "Hypothesis",
    "InequalityConstraint",
    "LogisticScore",
    "MatchDesign",
    "Measurement",
    "MeasurementFile",
    "OrderConstraint",
    "Outcome",
    "OutcomesSection",
    "PackageSource",
    "PenalisedScore",
    "PrimaryEstimate",
    "PropensityModel",
    "PropensitySection",
    "Protocol",
    "QuestionSection",
    "RangeConstraint",
    "ReleaseSource",
    "ReleasedFolder",
    "SdvSettings",
    "SequentialGenerator",
    "Source",
    "StudySection",
    "SurvivalOutcome",
    "SynthesisSection",
    "Trim",
    "TvaeGenerator",
    "ValidationSection",
    "WeightDesign",
]
