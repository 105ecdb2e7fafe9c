"""What every section of a protocol has in common."""

from __future__ import annotations

from collections.abc import ItemsView
from typing import Annotated, Final, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, RootModel

Entry = TypeVar("Entry")

NAME_PATTERN: Final = r"^[a-z][a-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class Section(BaseModel):
    """A frozen part of a protocol in which unknown keys are forbidden."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)

    @classmethod
    def of(cls, section: object) -> Self:
        """The section from the plain mapping that a rule's ``params`` carries."""
        return cls.model_validate(section)

    def plain(self) -> object:
        """The section as JSON-ready mappings and lists, for a rule's ``params``."""
        return self.model_dump(mode="json")


class NamedSection(RootModel[dict[Name, Entry]], Generic[Entry]):
    """A section that maps names to entries: designs, outcomes."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def of(cls, section: object) -> Self:
        """The section from the plain mapping that a rule's ``params`` carries."""
        return cls.model_validate(section)

    def plain(self) -> object:
        """The section as JSON-ready mappings and lists, for a rule's ``params``."""
        return self.model_dump(mode="json")

    def __getitem__(self, name: str) -> Entry:
        """The entry of that name."""
        return self.root[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is an entry of that name."""
        return name in self.root

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the protocol's order."""
        return tuple(self.root)

    def items(self) -> ItemsView[str, Entry]:
        """Names and entries in the protocol's order."""
        return self.root.items()
