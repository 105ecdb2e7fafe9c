"""The run's manifest: digests of what went in and came out, versions, seeds, and the commit of the code."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from parallax import __version__
from parallax.protocol.protocol import Protocol
from parallax.seeds import derive_seed, name_refit
from parallax.vocabulary import FLOOR, REAL

PACKAGES = (
    "snakemake", "pandas", "numpy", "scipy", "numba", "sdv", "sdmetrics", "torch", "scikit-learn", "statsmodels", "lifelines", "matplotlib",
    "pyarrow", "pandera", "pydantic", "duckdb", "opendp", "SurvSet", "causaldata",
)  # fmt: skip

#: what a fitted generator is made with
MODEL_PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "sdv", "torch", "opendp")


def describe_run(protocol: Protocol, *, repository: Path) -> dict[str, object]:
    """Protocol digest, versions, seeds and commit: what a team needs to run the study again."""
    return {
        "study": protocol.study.name,
        "protocol_digest": protocol.digest,
        "parallax": __version__,
        "commit": read_commit(repository),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "versions": {name: version for name in PACKAGES if (version := find_version(name))},
        "fit": protocol.synthesis.fit,
        "seeds": list_seeds(protocol),
    }


def find_version(package: str) -> str | None:
    """The installed version; None where this job's environment does without the package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def describe_model(
    settings: Mapping[str, object],
    *,
    fit: str,
    seeds: Mapping[int, int] | int,
    patients: int,
    columns: Iterable[str],
    sha256: str,
    privacy: Mapping[str, object] | None = None,
    redrawn: Mapping[int, int] | None = None,
) -> dict[str, object]:
    """What a fitted generator's file is: its digest and what made it; of the patients only how many there were and their columns' names.

    ``fit`` is what a combining rule must know: ``single``, all replicates from one fit with one seed, or ``bootstrap``, each from a fit of its
    own to patients resampled with replacement, with ``seeds`` by replicate.
    ``redrawn``: how often the resample of a replicate was drawn anew, where any was.
    ``privacy`` is a differentially private generator's guarantee and what its fit spent; others have none.
    ``machine_dependent`` where it may have been trained on a GPU, whose sums depend on the device.
    """
    record: dict[str, object] = {
        "sha256": sha256,
        "parallax": __version__,
        "settings": settings,
        "fit": fit,
        "seeds": {str(replicate): seed for replicate, seed in seeds.items()} if isinstance(seeds, Mapping) else seeds,
        "patients": patients,
        "columns": list(columns),
        "machine_dependent": any(isinstance(part, Mapping) and part.get("gpu", False) for part in (settings, *settings.values())),
        "versions": {name: version for name in MODEL_PACKAGES if (version := find_version(name))},
    }
    if redrawn:
        record["redrawn"] = {str(replicate): times for replicate, times in redrawn.items()}
    return record if privacy is None else record | {"privacy": privacy}


def list_seeds(protocol: Protocol) -> dict[str, object]:
    """The study's seed and those derived from it, per site, dataset and generator."""
    study = protocol.study.seed
    of_sites = {site: {purpose: derive_seed(study, site, purpose) for purpose in ("split", "fidelity")} for site in protocol.sites}
    of_datasets = {
        f"{site}/{dataset}": {purpose: derive_seed(study, site, dataset, purpose) for purpose in ("designs", "bootstrap")}
        for site in protocol.sites
        for dataset in (REAL, *protocol.generators)
    }
    of_generators = {
        f"{site}/{generator}": {
            **_seeds_of_fits(protocol, site, generator),
            **_seeds_of_shadows(protocol, site, generator),
            "replicates": [derive_seed(study, site, generator, "draw", replicate) for replicate in range(protocol.synthesis.replicates)],
            "attack": derive_seed(study, site, generator, "attack"),
            **_seeds_of_subgroups(protocol, site, generator),
            **_seeds_of_measurements(protocol, site, generator),
        }
        for site in protocol.sites
        for generator in protocol.generators
    }
    of_floors: dict[str, object] = {
        f"{site}/{FLOOR}": {
            "designs": derive_seed(study, site, FLOOR, "designs"),
            "replicates": [derive_seed(study, site, FLOOR, cohort) for cohort in range(protocol.synthesis.floor_cohorts)],
        }
        for site in protocol.sites
    }
    return of_floors | {"study": study} | of_sites | {name: seeds | of_generators.get(name, {}) for name, seeds in of_datasets.items()}


def _seeds_of_subgroups(protocol: Protocol, site: str, generator: str) -> dict[str, object]:
    """Of the subgroups that are enriched, by name and replicate; nothing where there are none."""
    study, replicates = protocol.study.seed, range(protocol.synthesis.replicates)
    entries = protocol.synthesis.enrichment
    found = {entry.name: [derive_seed(study, site, generator, "enrich", entry.name, replicate) for replicate in replicates] for entry in entries}
    return {"enrich": found} if generator in protocol.enriching_generators else {}


def _seeds_of_measurements(protocol: Protocol, site: str, generator: str) -> dict[str, object]:
    """Of the series drawn beside every replicate; nothing where the study has no repeated measurements."""
    replicates = range(protocol.synthesis.replicates) if protocol.cohort.measurements else ()
    found = [derive_seed(protocol.study.seed, site, generator, "measurements", replicate) for replicate in replicates]
    return {"measurements": found} if found else {}


def _seeds_of_fits(protocol: Protocol, site: str, generator: str) -> dict[str, object]:
    """Of the fit to all patients and of those without held-out ones; where every replicate has its own fits, by replicate."""
    study, replicates = protocol.study.seed, range(protocol.synthesis.replicates)
    refits = [name_refit(number) for number in range(1, protocol.synthesis.refits + 1)]
    if protocol.synthesis.fit == "single":
        return {name: derive_seed(study, site, generator, name) for name in ("fit", *refits)}
    purposes = {"fit": ("fit",)} | {name: (name, "fit") for name in refits}
    return {name: [derive_seed(study, site, generator, *purpose, replicate) for replicate in replicates] for name, purpose in purposes.items()}


def _seeds_of_shadows(protocol: Protocol, site: str, generator: str) -> dict[str, object]:
    """Of the halves that shadow models are fitted to, by pair, and of their fits and draws; nothing where there are none."""
    study, numbers, replicates = protocol.study.seed, range(protocol.privacy.shadow_models), range(protocol.synthesis.replicates)
    if not numbers:
        return {}
    purpose = (site, generator, "shadow")
    fits: list[object] = [derive_seed(study, *purpose, number) for number in numbers]
    if protocol.synthesis.fit == "bootstrap":
        fits = [[derive_seed(study, *purpose, number, "fit", replicate) for replicate in replicates] for number in numbers]
    return {
        "shadow": {
            "halves": [derive_seed(study, site, "halves", pair) for pair in numbers[: len(numbers) // 2]],
            "targets": derive_seed(study, site, "targets"),
            "fits": fits,
            "replicates": [[derive_seed(study, *purpose, number, replicate) for replicate in replicates] for number in numbers],
        }
    }


def read_commit(repository: Path) -> str | None:
    """The code's git commit, marked ``+changes`` where tracked files differ from it; None outside a repository."""

    def ask(*words: str) -> str:
        return subprocess.run(["git", "-C", str(repository), *words], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603, S607 -- fixed words

    try:
        return ask("rev-parse", "HEAD") + ("+changes" if ask("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def digest_files(paths: Iterable[str | Path], *, base: Path) -> dict[str, str]:
    """SHA-256 of each file, by its path below ``base``."""
    return {_below(Path(path), base): hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in sorted(map(str, paths))}


def _below(path: Path, base: Path) -> str:
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name


def build_manifest(
    protocol: Protocol,
    *,
    repository: Path,
    base: Path,
    inputs: Iterable[str | Path],
    outputs: Iterable[str | Path],
    tuning: Mapping[str, object] | None,
) -> Mapping[str, object]:
    """The content of ``manifest.json``; ``tuning`` is the record of the study's last tuning, with the digest of the protocol it was made under."""
    return describe_run(protocol, repository=repository) | {
        "tuning": tuning,
        "inputs": digest_files(inputs, base=base),
        "outputs": digest_files(outputs, base=base),
    }
