"""``data``: where each site's patients come from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from parallax.protocol.base import Name, Section
from parallax.protocol.measurements import MeasurementFile


class MappedColumn(Section):
    """A column of the study made of a site's own: renamed, recoded, in another unit, constant, or derived."""

    column: str | None = Field(default=None, min_length=1, description="the site's column that it is; null: an expression or a constant makes it")
    levels: dict[str, str] = Field(default_factory=dict, description="of column: what each of its levels is called in the study; none: as it is")
    factor: float | None = Field(default=None, gt=0, description="of column: what it is multiplied by, such as 30.4375 from months to days")
    expression: str | None = Field(default=None, min_length=1, description="a DuckDB expression over the site's columns")
    constant: str | float | None = Field(default=None, description="the same for every patient of the site")


class SiteSource(Section):
    """What the sources of all kinds have in common."""

    patient_id: str | None = Field(default=None, description="column that identifies a patient; null: the rows are numbered from 1")
    mapping: dict[str, MappedColumn] = Field(
        default_factory=dict, description="the study's columns made of the site's own, by the study's name; the site's other columns keep their names"
    )


class PackageSource(SiteSource):
    """A table that comes inside an installed Python package."""

    source: Literal["package"]
    package: Literal["SurvSet", "lifelines", "causaldata"] = Field(description="the Python package")
    table: str = Field(min_length=1, description="the data set's name in the package")


class FileColumn(Section):
    """What a column of a file must hold."""

    type: Literal["integer", "number", "text", "boolean"] = Field(description="what every value must be")
    levels: tuple[str, ...] | None = Field(default=None, min_length=1, description="text: the only values allowed")
    minimum: float | None = Field(default=None, description="integer and number: the smallest value allowed")
    maximum: float | None = Field(default=None, description="integer and number: the largest value allowed")
    missing: bool = Field(default=True, description="false: a missing value is a fault")


class FileSource(SiteSource):
    """A CSV or Parquet file with a declared schema."""

    source: Literal["file"]
    path: str = Field(min_length=1, description="relative to the protocol's folder, or absolute; ends in .csv or .parquet")
    columns: dict[str, FileColumn] = Field(min_length=1, description="the columns to read; others in the file are left out")
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
    """A released folder of another study on the same question: one replicate of its AI-generated patients stands in for the real ones.

    Beside a site with real patients all its replicates take part in pooling.
    """

    source: Literal["release"]
    replicate: int = Field(default=0, ge=0, description="the replicate that stands in for the patients; pooled are all")

    @property
    def patient_id(self) -> str:
        """The column that identifies a patient."""
        return "patient_id"

    @property
    def mapping(self) -> dict[str, MappedColumn]:
        """None: its patients have the study's columns already."""
        return {}


Source = Annotated[PackageSource | FileSource | ReleaseSource, Field(discriminator="source")]


class DataSection(Section):
    """The study's sites; every stage runs for each of them."""

    sites: dict[Name, Source] = Field(min_length=1, description="a source for each site, by the site's name")
    external_controls: dict[Name, ReleasedFolder] = Field(
        default_factory=dict,
        description="releases whose AI-generated comparators stand beside a site's own treated patients, by the site's name; for the target "
        "external_control",
    )
    rare_levels: dict[Name, tuple[str, ...]] = Field(
        default_factory=dict,
        description="by the site's name, categorical covariates whose levels of fewer than disclosure.minimum_count patients somebody has looked at, "
        "and which a release may hold by name; without it such a release is refused",
    )
    follow_up_ratio: float = Field(
        default=5.0, gt=1, description="between two sites; where median follow-up differs by a larger factor, a unit is taken to be wrong"
    )
