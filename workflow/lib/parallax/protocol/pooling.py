"""``pooling``: the answers of several sites made one."""

from __future__ import annotations

from pydantic import Field

from parallax.protocol.base import Name, Section


class SiteResultsFile(Section):
    """What another institution says of its patients, in a file that ``snakemake site_results`` wrote there."""

    path: str = Field(min_length=1, description="relative to the protocol's folder, or absolute; its signature lies beside it, ending in .sig")
    public_key: str | None = Field(
        default=None, description="the institution's Ed25519 key in PEM, relative to the protocol's folder or absolute; null: no signature is checked"
    )


class PoolingSection(Section):
    """How the sites' answers are pooled."""

    site_results: dict[Name, SiteResultsFile] = Field(default={}, description="files of sites elsewhere, by the name that they give the site")
