"""``config/README.md`` and ``config/study.schema.json``, written from the protocol's models: ``python -m parallax.protocol.documentation``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from parallax.protocol.schema import Node, describe, entry, json_schema, resolve

_INTRODUCTION: Final = """\
# Configuration

Generated from the protocol's models by `make docs`; a test holds it in step.

* `config.yaml` says which study runs and where its results go. `snakemake --config study=gbsg` or `--config study=path/to/my.yaml` runs another.
* `studies/<name>.yaml` is a study: its protocol, written down before it is run. To begin a study, copy the one that is nearest and change it.
* `study.schema.json` is the schema for editors: put `# yaml-language-server: $schema=../study.schema.json` into a protocol's first line.

A protocol is checked before the first job. An unknown key, a contradiction between two sections, a column that the data do not have: every
fault is named in one message, with its place, what was found, what is allowed and what to do. In YAML, put `"yes"`, `"no"`, `"on"` and
`"off"` into quotes where they are text.

A CSV file is UTF-8 with commas, double quotes and a header; an empty field and `NA` are missing. An eligibility expression is a single DuckDB
expression over the columns of one row; it can call functions, but reads no file, no other row and no clock, and a patient for whom it is
unknown (missing) is not kept.

# The protocol
"""


def markdown() -> str:
    """The reference of all keys: one heading per section, one table row per key."""
    root = json_schema()
    lines = [_INTRODUCTION, *_table(root)]
    for name, node in root["properties"].items():
        lines += _section(name, name, resolve(node), depth=2)
    return "\n".join(lines).rstrip() + "\n"


def schema_text() -> str:
    """The JSON schema as it stands in ``config/study.schema.json``."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def write_documentation(folder: Path) -> None:
    """Writes both files into the configuration's folder."""
    (folder / "README.md").write_text(markdown(), encoding="utf-8")
    (folder / "study.schema.json").write_text(schema_text(), encoding="utf-8")


def _section(path: str, title: str, node: Node, *, depth: int) -> Iterator[str]:
    yield f"\n{'#' * depth} `{title}`\n"
    if "description" in node:
        yield node["description"].partition(": ")[2] if node["description"].startswith("``") else node["description"]
    yield from _body(path, node, depth=depth)


def _body(path: str, node: Node, *, depth: int) -> Iterator[str]:
    if node.get("properties"):
        yield ""
        yield from _table(node)
        for name, child in node["properties"].items():
            yield from _nested(f"{path}.{name}", resolve(child), depth=depth + 1)
    elif entry(node):
        yield from _nested(f"{path}.<name>", resolve(entry(node) or {}), depth=depth + 1)


def _nested(path: str, node: Node, *, depth: int) -> Iterator[str]:
    if node.get("type") == "array":
        path, node = f"{path}[]", resolve(node.get("items", {}))  # a pair of numbers has none
    if "oneOf" in node:
        tag = node["discriminator"]
        for value, reference in tag["mapping"].items():
            yield from _section(path, f"{path} with {tag['propertyName']}: {value}", resolve({"$ref": reference}), depth=depth)
    elif node.get("properties"):
        yield from _section(path, path, node, depth=depth)
    elif entry(node):
        yield from _nested(f"{path}.<name>", resolve(entry(node) or {}), depth=depth)


def _table(node: Node) -> Iterator[str]:
    yield "| key | allowed | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in node["properties"].items():
        inner = resolve(field)
        default = (
            "required"
            if name in node.get("required", ())
            else "its defaults"
            if isinstance(field.get("default"), dict)
            else _plain(field.get("default"))
        )
        allowed = "a section" if "properties" in inner or entry(inner) else describe(field)
        meaning = field.get("description") or (inner.get("description", "").partition("\n")[0])
        yield f"| `{name}` | {allowed} | {default} | {meaning.removeprefix(f'``{name}``: ')} |"


def _plain(value: object) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


if __name__ == "__main__":
    write_documentation(Path("config"))
