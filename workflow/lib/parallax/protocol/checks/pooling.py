"""Faults of pooling: sites that are not here, or not elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from parallax.errors import Fault
from parallax.protocol.checks.faults import repeated, unknown
from parallax.protocol.data import DataSection, ReleaseSource
from parallax.protocol.pooling import PoolingSection
from parallax.protocol.synthesis import SynthesisSection
from parallax.vocabulary import RESERVED_NAMES


def check_site_results(pooling: PoolingSection, data: DataSection, synthesis: SynthesisSection) -> Iterator[Fault]:
    """A site elsewhere has a name that nothing here has."""
    real = {site for site, source in data.sites.items() if not isinstance(source, ReleaseSource)}
    taken = {*RESERVED_NAMES, *real, *synthesis.generators}
    for name in pooling.site_results:
        if name in taken:
            found = "a name that is reserved, or that a site with real patients or a generator of this protocol has"
            yield Fault(f"pooling.site_results.{name}", found, "the name of a site elsewhere", "rename the other one, or remove the entry")


def check_pooling(pooling: PoolingSection, data: DataSection, synthesis: SynthesisSection) -> Iterator[Fault]:
    """``pooling.here`` names sites with real patients, each once, one of them unless real patients may be pooled, and leaves one elsewhere."""
    where = "pooling.here"
    for site in pooling.here:
        if site not in data.sites:
            yield unknown(where, site, data.sites, "site")
        elif isinstance(data.sites[site], ReleaseSource):
            yield Fault(where, f"{site}, whose patients come from a release", "sites with real patients", "remove it")
    for site in repeated(pooling.here):
        yield Fault(where, f"{site} more than once", "every site once", "remove the repetition")
    if pooling.here and set(pooling.here) >= set(data.sites):
        yield Fault(where, "every site", "at least one site elsewhere, whose synthetic patients come in", "remove one")
    elif len(set(pooling.here)) > 1 and not pooling.individual_real:
        found = "several sites, whose real patients would be pooled"
        yield Fault(where, found, "one site, or individual_real: true", "leave one, or set individual_real: true if their patients may be pooled")
    if pooling.here and synthesis.patients != 1.0:
        found = f"sites, with synthesis.patients {synthesis.patients:g}: those elsewhere would count for another number of patients than they know"
        yield Fault(where, found, "replicates as large as the cohort", "set synthesis.patients: 1, or leave here out")
