"""Reading a protocol from its file."""

from __future__ import annotations

from pathlib import Path

import yaml

from parallax.protocol.protocol import Protocol


def read_protocol(path: Path) -> Protocol:
    """The protocol in a file."""
    return Protocol.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def resolve_study(study: str, config_folder: Path) -> Path:
    """The file of a study that is given by its name or by a path."""
    return config_folder / "studies" / f"{study}.yaml"
