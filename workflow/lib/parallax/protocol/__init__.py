"""The study protocol: frozen, typed, every default part of it. Light to import: no pandas, no numpy, no DuckDB.

``parallax.protocol.loading`` reads one from a file; ``parallax.protocol.checks`` holds what no single section can know.
"""

from __future__ import annotations

from parallax.protocol.cohort import Arms, CohortSection, Covariates, Criterion
from parallax.protocol.data import DataSection, FileColumn, FileSource, PackageSource, Source
from parallax.protocol.designs import CoarsenDesign, CrudeDesign, Design, DesignsSection, EntropyDesign, MatchDesign, Trim, WeightDesign
from parallax.protocol.disclosure import DisclosureSection
from parallax.protocol.generators import GaussianCopulaGenerator, Generator, SequentialGenerator, TvaeGenerator
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
    "ContinuousOutcome",
    "CountOutcome",
    "Covariates",
    "Criterion",
    "CrudeDesign",
    "DataSection",
    "Design",
    "DesignsSection",
    "DisclosureSection",
    "EnsembleScore",
    "EntropyDesign",
    "FileColumn",
    "FileSource",
    "Gates",
    "GaussianCopulaGenerator",
    "Generator",
    "Hypothesis",
    "LogisticScore",
    "MatchDesign",
    "Outcome",
    "OutcomesSection",
    "PackageSource",
    "PenalisedScore",
    "PrimaryEstimate",
    "PropensityModel",
    "PropensitySection",
    "Protocol",
    "QuestionSection",
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
