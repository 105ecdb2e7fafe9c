"""Sections of a protocol as a rule's ``params`` carry them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parallax.protocol.protocol import Protocol


def read_sections(plain: Mapping[str, object]) -> dict[str, Any]:
    """Each section by its name, as its model."""
    models = {name: field.annotation for name, field in Protocol.model_fields.items()}
    return {name: models[name].of(section) for name, section in plain.items()}  # type: ignore[union-attr]
