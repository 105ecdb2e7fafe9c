"""The protocol's JSON schema, and what it says of a place in words: used by messages and by config/README.md alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from parallax.protocol.base import NAME_PATTERN
from parallax.protocol.protocol import Protocol

Node = Mapping[str, Any]

NAME_IN_WORDS: Final = "a name of lower-case letters, digits and _ that begins with a letter"


@cache
def json_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a protocol, for editors and other programs."""
    schema = Protocol.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Parallax study protocol"}


def resolve(node: Node) -> Node:
    """The node itself, or the definition that it refers to."""
    while "$ref" in node:
        node = json_schema()["$defs"][node["$ref"].rpartition("/")[2]]
    return node


def entry(node: Node) -> Node | None:
    """What a mapping of free names holds under each of them; None where the keys are fixed."""
    free = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
    return free[0] or None


def locate(location: Sequence[int | str]) -> tuple[list[int | str], Node]:
    """The steps to, and the node at, a pydantic error's location, without the tags of unions that pydantic puts into it."""
    node: Node = resolve(json_schema())
    steps: list[int | str] = []
    for step in location:
        mapping = node.get("discriminator", {}).get("mapping", {})
        if step in mapping:
            node = resolve({"$ref": mapping[step]})
            continue
        if "anyOf" in node:
            break  # a tag of a plain union
        inner = node.get("items") if isinstance(step, int) else node.get("properties", {}).get(step) or entry(node)
        steps, node = [*steps, step], resolve(inner or {})
    return steps, node


def dotted(steps: Sequence[int | str]) -> str:
    """A place of a protocol as messages write it: ``cohort.eligibility[0].keep``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")


def describe(node: Node) -> str:
    """What is allowed at a node, in words."""
    node = resolve(node)
    if "anyOf" in node:
        return ", or ".join(describe(choice) for choice in node["anyOf"])
    if "oneOf" in node:
        tag = node["discriminator"]
        return f"a section whose {tag['propertyName']} is {_any_of(tag['mapping'])}"
    if "const" in node:
        return str(node["const"])
    if "enum" in node:
        return _any_of(node["enum"])
    kind = node.get("type", "anything")
    if kind == "object":
        keys = ", ".join(node.get("properties", ()))
        return f"a section with the keys {keys}" if keys else "a section of names, each with its own settings"
    if "prefixItems" in node:
        return f"a list of {len(node['prefixItems'])}, each {describe(node['prefixItems'][0])}"
    if kind == "array":
        least = {0: "", 1: " of at least one"}.get(fewest := node.get("minItems", 0), f" of at least {fewest}")
        return f"a list{least}, each {describe(node['items'])}"
    if kind == "string":
        return NAME_IN_WORDS if node.get("pattern") == NAME_PATTERN else "text, not empty" if node.get("minLength") else "text"
    words = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "null": "null"}[kind]
    if "minimum" in node and node["minimum"] == node.get("maximum"):
        return str(node["minimum"])
    bounds = {"exclusiveMinimum": "above", "minimum": "at least", "exclusiveMaximum": "below", "maximum": "at most"}
    return f"{words} {' and '.join(f'{text} {node[bound]}' for bound, text in bounds.items() if bound in node)}".strip()


def _any_of(values: Sequence[object] | Mapping[str, object]) -> str:
    names = [str(value) for value in values]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
