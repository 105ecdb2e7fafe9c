"""``pooling``: how the answers of several sites become one."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from parallax.protocol.base import Name, Section


class SiteResultsFile(Section):
    """What another institution says of its patients, in a file that ``snakemake site_results`` wrote there."""

    path: str = Field(min_length=1, description="relative to the protocol's folder, or absolute; its signature lies beside it, ending in .sig")
    public_key: str | None = Field(
        default=None, description="the institution's Ed25519 key in PEM, relative to the protocol's folder or absolute; null: no signature is checked"
    )


class PoolingSection(Section):
    """Which patients of which site may be pooled with others', and how."""

    individual_real: bool = Field(
        default=False, description="whether the sites' real patients may be pooled: the benchmark of every other way, where it is allowed"
    )
    here: tuple[Name, ...] = Field(
        default=(),
        description="sites whose real patients are pooled with the synthetic ones of all others, more than one only with individual_real; "
        "none: real and synthetic stay apart",
    )
    score: Literal["by_site", "common"] = Field(
        default="by_site",
        description="of pooled patients. by_site: every covariate acts on treatment at each site by itself, and matches are of one site; "
        "common: the covariates act alike at all sites, which is one factor more",
    )
    site_results: dict[Name, SiteResultsFile] = Field(
        default={},
        description="files of sites elsewhere, by the name that each gives itself: their aggregates are pooled with those of the sites here",
    )

    @property
    def unverified(self) -> tuple[str, ...]:
        """The sites elsewhere whose files no public key vouches for."""
        return tuple(site for site, file in self.site_results.items() if file.public_key is None)
