"""``data``: where each site's patients come from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from parallax.protocol.base import Name, Section
from parallax.protocol.measurements import MeasurementFile


class PackageSource(Section):
    """A table that comes inside an installed Python package."""

    source: Literal["package"]
    package: Literal["SurvSet", "lifelines", "causaldata"] = Field(description="the Python package")
    table: str = Field(min_length=1, description="the data set's name in the package")
    patient_id: str | None = Field(default=None, description="column that identifies a patient; null: the rows are numbered from 1")


class FileColumn(Section):
    """What a column of a file must hold."""

    type: Literal["integer", "number", "text", "boolean"] = Field(description="what every value must be")
    levels: tuple[str, ...] | None = Field(default=None, min_length=1, description="text: the only values allowed")
    minimum: float | None = Field(default=None, description="integer and number: the smallest value allowed")
    maximum: float | None = Field(default=None, description="integer and number: the largest value allowed")
    missing: bool = Field(default=True, description="false: a missing value is a fault")


class FileSource(Section):
    """A CSV or Parquet file with a declared schema."""

    source: Literal["file"]
    path: str = Field(min_length=1, description="relative to the protocol's folder, or absolute; ends in .csv or .parquet")
    columns: dict[str, FileColumn] = Field(min_length=1, description="the columns to read; others in the file are left out")
    patient_id: str | None = Field(default=None, description="column that identifies a patient; null: the rows are numbered from 1")
    measurements: MeasurementFile | None = Field(default=None, description="a second file, with the repeated measurements of these patients")


class ReleasedFolder(Section):
    """A released folder, and whose it is."""

    path: str = Field(min_length=1, description="the released folder, relative to the protocol's folder, or absolute")
    site: Name | None = Field(default=None, description="the release's site; null: it has one")
    public_key: str | None = Field(
        default=None,
        min_length=1,
        description="the sender's public Ed25519 key in PEM, relative to the protocol's folder; null: only the digests are checked",
    )


class ReleaseSource(ReleasedFolder):
    """A released folder of another study on the same question: one replicate of its AI-generated patients stands in for the real ones."""

    source: Literal["release"]
    replicate: int = Field(default=0, ge=0, description="the replicate that stands in for the patients")

    @property
    def patient_id(self) -> str:
        """The column that identifies a patient."""
        return "patient_id"


Source = Annotated[PackageSource | FileSource | ReleaseSource, Field(discriminator="source")]


class DataSection(Section):
    """The study's sites; every stage runs for each of them."""

    sites: dict[Name, Source] = Field(min_length=1, description="a source for each site, by the site's name")
    external_controls: dict[Name, ReleasedFolder] = Field(
        default_factory=dict,
        description="releases whose AI-generated comparators stand beside a site's own treated patients, by the site's name; for the target "
        "external_control",
    )
