"""The whole protocol: one study, written down before it is run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from parallax.capabilities import GENERATORS
from parallax.protocol.base import Section
from parallax.protocol.cohort import CohortSection
from parallax.protocol.data import DataSection, ReleaseSource
from parallax.protocol.designs import DesignsSection
from parallax.protocol.disclosure import DisclosureSection
from parallax.protocol.generators import FLAT
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.pooling import PoolingSection
from parallax.protocol.privacy import PrivacySection
from parallax.protocol.propensity import DEFAULT_PROPENSITY, PropensitySection
from parallax.protocol.question import QuestionSection
from parallax.protocol.robustness import RobustnessSection
from parallax.protocol.study import StudySection
from parallax.protocol.subgroups import NO_SUBGROUPS, SubgroupsSection
from parallax.protocol.synthesis import SynthesisSection
from parallax.protocol.validation import ValidationSection
from parallax.vocabulary import CORRECT, FLAT_COPULA, REAL

#: in what two institutions that run the same study may differ: where their patients come from, a site's own settings of a generator, and whose
#: results are pooled
OF_ONE_PLACE: Final[Mapping[str, Any]] = MappingProxyType({"data": True, "pooling": True, "synthesis": {"at_sites"}})


class Protocol(Section):
    """A study protocol; every default is part of it."""

    study: StudySection
    question: QuestionSection
    data: DataSection
    cohort: CohortSection
    synthesis: SynthesisSection
    propensity: PropensitySection = DEFAULT_PROPENSITY
    designs: DesignsSection
    outcomes: OutcomesSection
    subgroups: SubgroupsSection = NO_SUBGROUPS
    robustness: RobustnessSection = RobustnessSection()
    validation: ValidationSection = ValidationSection()
    privacy: PrivacySection = PrivacySection()
    disclosure: DisclosureSection = DisclosureSection()
    pooling: PoolingSection = PoolingSection()

    @property
    def sites(self) -> tuple[str, ...]:
        """The study's sites in the protocol's order."""
        return tuple(self.data.sites)

    @property
    def pools(self) -> bool:
        """Whether there are answers of several sites to become one, those of sites elsewhere among them."""
        return self.pools_aggregates or bool(self.pooled_datasets)

    @property
    def pools_aggregates(self) -> bool:
        """Whether the real patients of more than one site have an answer, here or in site results."""
        return len(self.pooled_sites) + len(self.pooling.site_results) > 1

    @property
    def pooled_sites(self) -> tuple[str, ...]:
        """The sites whose real patients are here, and whose answers may be pooled."""
        return tuple(site for site in self.sites if site not in self.released_sites)

    @property
    def released_sites(self) -> tuple[str, ...]:
        """The sites whose patients come from a release: AI-generated ones, who are in a pool of synthetic patients and never in one of real ones."""
        return tuple(site for site, source in self.data.sites.items() if isinstance(source, ReleaseSource))

    @property
    def named_sites(self) -> tuple[str, ...]:
        """The sites here, and those elsewhere that sent results."""
        return tuple(dict.fromkeys((*self.sites, *self.pooling.site_results)))

    @property
    def joining_sites(self) -> tuple[str, ...]:
        """The sites whose release takes part in pooling; none where no real patients are here, for the study is then run on the releases."""
        return self.released_sites if self.pooled_sites else ()

    @property
    def pooled_datasets(self) -> tuple[str, ...]:
        """The datasets of which the sites' patients are pooled; none where nothing is pooled, the real ones where the protocol allows it."""
        real = (REAL,) if self.pooling.individual_real and len(self.pooled_sites) > 1 else ()
        return real + (self.generators if len(self.pooled_sites) + len(self.joining_sites) > 1 else ())

    @property
    def generators(self) -> tuple[str, ...]:
        """The study's generators in the protocol's order."""
        return tuple(self.synthesis.generators)

    @property
    def enriching_generators(self) -> tuple[str, ...]:
        """The generators that draw the subgroups of ``synthesis.enrichment``, in the protocol's order; none where it names no subgroup."""
        entries = self.synthesis.generators.items() if self.synthesis.enrichment else ()
        return tuple(name for name, entry in entries if GENERATORS[entry.method].enriches)

    @property
    def certified_generators(self) -> tuple[str, ...]:
        """The generators that simulated studies are run through, in the protocol's order."""
        named = self.validation.certification.generators
        entries = self.synthesis.generators.items()
        return tuple(name for name, entry in entries if (not GENERATORS[entry.method].network if named is None else name in named))

    @property
    def flat_copula(self) -> str | None:
        """The certified generator that is the flat copula itself at every site, so that none has to be fitted beside it."""
        synthesis, names = self.synthesis, self.certified_generators
        return next((name for name in names if all(synthesis.settings_at(site, name) == FLAT for site in self.sites)), None)

    @property
    def simulated_generators(self) -> tuple[str, ...]:
        """All that simulated studies are run through: the certified generators and the references."""
        return (*self.certified_generators, CORRECT, *(() if self.flat_copula else (FLAT_COPULA,)))

    @property
    def digest(self) -> str:
        """SHA-256 of the protocol with all defaults filled in: two protocols with equal digests ask the same study."""
        return digest_of(self.plain())

    @property
    def study_digest(self) -> str:
        """SHA-256 of what the institutions of a study have in common: the same study, wherever its patients come from."""
        return digest_of(self.shared)

    @property
    def shared(self) -> dict[str, object]:
        """What all institutions of a study have in common, as plain content: the protocol without what is ``OF_ONE_PLACE``."""
        return shared_of(self.model_dump(mode="json"))

    @property
    def ai_generated(self) -> bool:
        """Whether a site's patients come from a release: they never lived."""
        return bool(self.released_sites)


def shared_of(content: Mapping[str, Any]) -> dict[str, object]:
    """A protocol's plain content without what is ``OF_ONE_PLACE``."""
    whole = {name: section for name, section in content.items() if OF_ONE_PLACE.get(name) is not True}
    return whole | {name: {key: value for key, value in whole[name].items() if key not in OF_ONE_PLACE[name]} for name in whole.keys() & OF_ONE_PLACE}


def digest_of(protocol: object) -> str:
    """SHA-256 of a protocol's plain content."""
    canonical = json.dumps(protocol, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
