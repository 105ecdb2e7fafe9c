from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from parallax.protocol import Protocol
from parallax.protocol.documentation import markdown, schema_text

CONFIG = Path(__file__).parents[2] / "config"


def test_the_documentation_is_in_step_with_the_models() -> None:
    message = "run `make docs`"
    assert (CONFIG / "README.md").read_text(encoding="utf-8") == markdown(), message
    assert (CONFIG / "study.schema.json").read_text(encoding="utf-8") == schema_text(), message


def test_every_key_is_explained() -> None:
    rows = [line for line in markdown().splitlines() if line.startswith("| `")]
    unexplained = [row for row in rows if row.endswith("|  |") and not row.startswith(("| `method`", "| `model`", "| `source`", "| `type`"))]
    assert not unexplained


@pytest.mark.parametrize("path", sorted((CONFIG / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_schema_accepts_the_studies_and_forbids_unknown_keys(path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema, study = json.loads(schema_text()), yaml.safe_load(path.read_text(encoding="utf-8"))
    jsonschema.validate(study, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(study | {"unknown": 1}, schema)
    assert set(schema["properties"]) == set(Protocol.model_fields)
