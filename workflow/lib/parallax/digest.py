"""``code_digest``: what a rule's code is, so that an edit in the library reruns the rules that use it, and no others.

Standard library only: every parse of the Snakefile imports this module.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

PACKAGE = "parallax"
ROOT = Path(__file__).parent


@cache
def code_digest(*modules: str) -> str:
    """Digest of the modules, of all package modules that they import, and of the third-party versions among their imports.

    Assumption
        Imports stand in the source as ``import`` statements (at any depth); nothing is imported by a computed name.
    Errors
        ``ModuleNotFoundError`` if a named module is not part of the package.
    """
    hasher = hashlib.sha256()
    for path in sorted(reach(*modules)):
        hasher.update(path.relative_to(ROOT).as_posix().encode())
        hasher.update(path.read_bytes())
        for asset in sorted(path.parent.glob("templates/*")):
            hasher.update(asset.read_bytes())
    for name in sorted({name for path in reach(*modules) for name in _imports(path)[1]}):
        for distribution in _distributions().get(name, ()):
            hasher.update(f"{distribution}=={metadata.version(distribution)}".encode())
    return hasher.hexdigest()[:16]


def reach(*modules: str) -> frozenset[Path]:
    """The source files of the modules and of every package module that they import, directly or not."""
    seen: set[Path] = set()
    waiting = [_source(module, required=True) for module in modules]
    while waiting:
        path = waiting.pop()
        if path is None or path in seen:
            continue
        seen.add(path)
        waiting += [_source(module, required=False) for module in _imports(path)[0]]
    return frozenset(seen)


@cache
def _source(module: str, *, required: bool) -> Path | None:
    base = ROOT.joinpath(*module.split(".")[1:])
    for candidate in (base / "__init__.py", base.with_suffix(".py")):
        if candidate.is_file():
            return candidate
    if required:
        raise ModuleNotFoundError(f"{module} is not a module of {PACKAGE}")
    return None


@cache
def _imports(path: Path) -> tuple[frozenset[str], frozenset[str]]:
    """The package modules and the top-level third-party names that a source file imports."""
    own: set[str] = set()
    foreign: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            case ast.Import(names=names):
                targets = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), names=names):
                targets = [module, *(f"{module}.{alias.name}" for alias in names)]
            case _:
                continue
        for target in targets:
            if target.split(".")[0] == PACKAGE:
                parts = target.split(".")
                own |= {".".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
            else:
                foreign.add(target.split(".")[0])
    return frozenset(own), frozenset(foreign)


@cache
def _distributions() -> dict[str, list[str]]:
    return {name: sorted(set(found)) for name, found in metadata.packages_distributions().items()}
