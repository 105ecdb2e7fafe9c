"""Reading a protocol: from a name to a file, from a file to a checked protocol, all faults in one message."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from parallax.errors import Fault, ProtocolError, did_you_mean
from parallax.protocol.checks.faults import BARE_YES_OR_NO
from parallax.protocol.checks.sections import check_protocol, check_sections
from parallax.protocol.protocol import Protocol
from parallax.protocol.schema import NAME_IN_WORDS, describe, dotted, locate


def resolve_study(study: str, studies: Path) -> Path:
    """The protocol's file: ``study`` is a path to one, or the name of one in the folder ``studies``.

    Raises ``ProtocolError`` where there is no such file.
    """
    is_path = "/" in study or study.endswith((".yaml", ".yml"))
    path = Path(study).expanduser() if is_path else studies / f"{study}.yaml"
    if path.is_file():
        return path.resolve()
    known = sorted(file.stem for file in studies.glob("*.yaml"))
    found = f'no file "{path}"' if is_path else f'no study named "{study}"'
    remedy = "correct the path" if is_path else did_you_mean(study, known, otherwise="name one of these, or give the path of a protocol")
    fault = Fault(where="study", found=found, allowed=f"{', '.join(known)}, or a path to a protocol", remedy=remedy)
    raise ProtocolError([fault], source="the configuration")


def read_protocol(path: Path) -> Protocol:
    """The protocol in a YAML file. Raises ``ProtocolError`` with every fault that can be found without its data."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise _unreadable(path, f"a file that cannot be read ({error.strerror})", "correct the path or its permissions") from None
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"a byte that is not UTF-8, at position {error.start}", "save the file in the encoding UTF-8") from None
    try:
        loader = yaml.CSafeLoader(text)
        root = loader.get_single_node()
        content = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else path.name
        found = f"a syntax fault: {error.problem}" + (f" ({error.context})" if error.context else "")
        remedy = "look at this line and the one before: indentation, a colon without a space, quotes"
        fault = Fault(where=place, found=found, allowed="YAML", remedy=remedy)
        raise ProtocolError([fault], source=str(path)) from None
    except yaml.YAMLError as error:
        raise _unreadable(path, str(error).partition("\n")[0], "save the file as plain UTF-8 text") from None
    if not isinstance(content, dict):
        raise _unreadable(path, "no sections" if content is not None else "an empty file", "start from a protocol in config/studies")

    try:
        faults = list(_repeated_keys(root, ""))
    except RecursionError:
        raise _unreadable(path, "an alias that contains itself", "write the values out") from None
    try:
        protocol = Protocol.model_validate(content)
    except ValidationError as error:
        faults += [_with_line(fault, root) for fault in _faults_of(error)]
        faults += [_with_line(fault, root) for fault in check_sections(_valid_sections(content, error))]
    else:
        faults += [_with_line(fault, root) for fault in check_protocol(protocol)]
    if faults:
        raise ProtocolError(faults, source=str(path))
    return protocol


def _unreadable(path: Path, found: str, remedy: str) -> ProtocolError:
    return ProtocolError([Fault(where=path.name, found=found, allowed="a study protocol in YAML", remedy=remedy)], source=str(path))


def _repeated_keys(node: yaml.Node | None, path: str) -> Iterator[Fault]:
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _repeated_keys(item, f"{path}[{number}]")
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            place = f"{path}.{name}".lstrip(".")
            if name in lines:
                found = f"the key again; it stands in line {lines[name]} already"
                yield Fault(f"{place} (line {line})", found, "every key once", "remove or rename one of the two")
            lines[name] = line
            yield from _repeated_keys(value, place)


def _faults_of(error: ValidationError) -> list[Fault]:
    details = error.errors(include_url=False)
    faults: dict[str, Fault] = {}
    for detail in details:
        fault = _fault_of(detail)
        # a list that lost its only entry to a fault of that entry, or a second branch of a plain union, is no fault of its own
        echoed = detail["type"] == "too_short" and any(
            other["loc"][: len(detail["loc"])] == detail["loc"] for other in details if other is not detail
        )
        if not echoed:
            faults.setdefault(fault.where, fault)
    return list(faults.values())


def _fault_of(detail: ErrorDetails) -> Fault:
    location, kind, value = detail["loc"], detail["type"], detail["input"]
    steps, node = locate([step for step in location if step != "[key]"])
    path = dotted(steps)
    if location[-1] == "[key]" or kind == "invalid_key":
        name = location[-2] if location[-1] == "[key]" else location[-1]
        return Fault(path, f"the name {_show(name)}", NAME_IN_WORDS, "rename it")
    if kind == "extra_forbidden":
        parent = locate(location[:-1])[1]
        keys = list(parent.get("properties", {}))
        return Fault(path, "an unknown key", f"the keys {', '.join(keys)}", did_you_mean(location[-1], keys, otherwise="remove it"))
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        tag = node["discriminator"]["propertyName"]
        known = list(node["discriminator"]["mapping"])
        if kind == "union_tag_not_found":
            return Fault(f"{path}.{tag}", "nothing", ", ".join(known), f'add the key "{tag}"')
        return Fault(f"{path}.{tag}", _show(value[tag]), ", ".join(known), did_you_mean(value[tag], known, otherwise="name one of these"))
    if kind == "missing":
        return Fault(path, "nothing", describe(node), "add it")
    return Fault(path, _show(value), describe(node), _remedy(value, node))


def _remedy(value: object, node: Mapping[str, Any]) -> str:
    if isinstance(value, bool):
        return BARE_YES_OR_NO
    if node.get("type") == "array" and not isinstance(value, list):
        return "write a list: [ … ]"
    return did_you_mean(value, [str(choice) for choice in node.get("enum", ())], otherwise="change it")


def _show(value: object) -> str:
    if isinstance(value, dict):
        return "a section" if value else "an empty section"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _valid_sections(content: Mapping[str, Any], error: ValidationError) -> dict[str, Any]:
    """The sections in which nothing but unknown keys was found, so that faults between sections are reported in the same message."""
    known = json.loads(json.dumps(content, default=str))
    for detail in error.errors(include_url=False):
        if detail["type"] == "extra_forbidden":
            _drop(known, locate(detail["loc"])[0])
    sections = {}
    for name, field in Protocol.model_fields.items():
        if name in known or not field.is_required():
            section: Any = field.annotation
            try:
                sections[name] = section.model_validate(known[name]) if name in known else field.default
            except ValidationError:
                continue
    return sections


def _drop(content: Any, steps: Sequence[int | str]) -> None:
    for step in steps[:-1]:
        content = content[step]
    del content[steps[-1]]


def _with_line(fault: Fault, root: yaml.Node | None) -> Fault:
    """The fault with the line of its place, or of the innermost section around it that is there."""
    node, line = root, None
    for step in fault.where.replace("[", ".").replace("]", "").split("."):
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if str(key.value) == step), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and step.isdigit() and int(step) < len(node.value):
            node = node.value[int(step)]
            line = node.start_mark.line + 1
        else:
            break
    return fault if line is None else replace(fault, where=f"{fault.where} (line {line})")
