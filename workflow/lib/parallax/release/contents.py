"""Every file of a release, as bytes: built only for a generator that passed, from the very patients that were judged."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import yaml

from parallax.checksums import SUMS, list_sums
from parallax.errors import ReleaseError
from parallax.extraction.release import RECORD, REPLICATE, patients_file
from parallax.protocol.generators import guarantee_of
from parallax.protocol.protocol import Protocol
from parallax.release.card import Card, SiteCard, count_learned_from, find_rare_levels, render_card, render_readme
from parallax.release.patients import describe_columns, find_formulas, list_applied, restore_source
from parallax.reporting.verdicts import describe_registration
from parallax.reporting.wording import VERDICTS, plain

#: a generator's disclosed tables that leave with it; those that set it beside the real patients stay, but for what privacy is judged by
AGGREGATES: Final = (
    "balance", "overlap", "score_histogram", "calibration", "positivity", "curves", "hazard_course", "combined", "subgroups", "interactions",
    "robustness", "privacy",
)  # fmt: skip
#: what of robustness sets a generator beside the real patients
_BESIDE_REAL: Final = ("added_error_mean", "added_error_sd", "calibrated_shift")
#: what of the verdict is of no one generator; what is said of pooled answers, of all generators and places, stays
_OF_STUDY: Final = ("study", "protocol_digest", "registration", "certified")


@dataclass(frozen=True, slots=True)
class SiteRelease:
    """One site's synthetic patients (a cohort table), the SHA-256 of the file that holds them, the real attrition table and Table 1, and the
    generator's tables by name, all disclosed.
    """

    cohort: pd.DataFrame
    sha256: str
    attrition: pd.DataFrame
    characteristics: pd.DataFrame
    aggregates: Mapping[str, pd.DataFrame]


def build_release(
    protocol: Protocol, generator: str, *, verdict: Mapping[str, Any], sites: Mapping[str, SiteRelease], signed: bool, parallax: str
) -> dict[str, bytes]:
    """The files of a release by their name in the folder, ``SHA256SUMS`` last; equal inputs give equal bytes.

    ``verdict`` is the content of verdict.json. Raises ReleaseError where a site's verdict is not ``release``, where the verdict is of another
    protocol or of other patients, where the study's own patients are AI-generated, or where levels that few real patients had would leave by
    name without the protocol's leave.
    """
    check_release(protocol, generator, verdict=verdict, digests={site: part.sha256 for site, part in sites.items()})
    rare = {site: find_rare_levels(part.cohort, part.characteristics) for site, part in sites.items()}
    check_rare_levels(protocol, generator, rare)
    released = {site: restore_source(part.cohort, protocol.cohort, protocol.outcomes) for site, part in sites.items()}
    card = Card(
        protocol=protocol,
        generator=generator,
        sites=tuple(
            SiteCard(
                site,
                *count_learned_from(part.attrition),
                patients_per_replicate=tuple(released[site].groupby(REPLICATE).size()),
                gates=tuple(verdict["sites"][site][generator]["gates"]),
                reasons=tuple(verdict["sites"][site][generator]["reasons"]),
                rare_levels=rare[site],
            )
            for site, part in sites.items()
        ),
        criteria_applied=list_applied(protocol.cohort, next(iter(released.values())).columns),
        registration=describe_registration(verdict["registration"]),
        fixed_before=bool(verdict["registration"]["before_effects"]),
        formulas=find_formulas(released.values()),
        certified=all(bool(verdict["sites"][site][generator]["certified"]) for site in sites),
        guarantee=guarantee_of(protocol.synthesis.generators[generator]),
        parallax=parallax,
    )
    own_verdict = {name: verdict[name] for name in _OF_STUDY} | {"sites": {site: {generator: verdict["sites"][site][generator]} for site in sites}}
    files = {
        "README.md": render_readme(card, signed=signed).encode(),
        "MODEL_CARD.md": render_card(card).encode(),
        RECORD: _json(card.record()),
        "verdict.json": _json(own_verdict),
        "protocol.yaml": render_protocol(protocol).encode(),
        "dictionary.csv": _csv(describe_columns(protocol, released)),
    }
    for site, frame in released.items():
        files |= {patients_file(site): _parquet(frame), patients_file(site, "csv"): _csv(frame)}
        shown = {name: table for name, table in sites[site].aggregates.items() if name in AGGREGATES}
        if "robustness" in shown:
            shown["robustness"] = shown["robustness"][~shown["robustness"]["measure"].isin(_BESIDE_REAL)]
        files |= {f"aggregates/{site}/{name}.csv": _csv(table) for name, table in shown.items()}
    return files | {SUMS: list_sums(files).encode()}


def check_release(protocol: Protocol, generator: str, *, verdict: Mapping[str, Any], digests: Mapping[str, str]) -> None:
    """Raises ReleaseError, with every reason, where the patients whose SHA-256 by site is in ``digests`` may not be released."""
    if protocol.ai_generated:
        raise _refusal(
            generator,
            [f"the patients of {' and '.join(protocol.released_sites)} are AI-generated themselves: they come from a release"],
            "release from a study of the real patients alone",
        )
    if verdict["protocol_digest"] != protocol.digest:
        raise _refusal(generator, ["verdict.json is of another protocol"], "run the study again")
    reasons, other = [], []
    for site, sha256 in digests.items():
        entry = verdict["sites"][site][generator]
        place = f"{plain(site)}: " if len(digests) > 1 else ""
        if entry["verdict"] != "release":
            reasons += [f"{place}{VERDICTS[entry['verdict']][0].lower()}. {reason}" for reason in entry["reasons"]]
        elif entry["patients_sha256"] != sha256:
            other.append(f"{place}the patients are not those that the verdict is about; their file was changed or replaced")
    if reasons:
        raise _refusal(generator, reasons, "choose a generator that passed, or improve this one")
    if other:
        raise _refusal(generator, other, "find out who changed the file; delete it and run the study again")


def check_rare_levels(protocol: Protocol, generator: str, rare: Mapping[str, Collection[str]]) -> None:
    """Raises ReleaseError, with the covariates by site, where levels that few real patients had would leave by name and nobody accepted it.

    No level is named, and not how many there are.
    """
    open_ = {site: [name for name in names if name not in protocol.data.rare_levels.get(site, ())] for site, names in rare.items()}
    found = [f"{plain(site)}: a level that few real patients had, in {', '.join(names)}" for site, names in open_.items() if names]
    if found:
        asked = "; ".join(f"{site}: [{', '.join(names)}]" for site, names in open_.items() if names)
        raise _refusal(
            generator,
            found,
            "merge such levels in the source or by its mapping, or leave the covariate out, and run the study again; or see that they name nobody, "
            f"and accept them: data.rare_levels: {{{asked}}}",
            allowed=f"levels of {protocol.disclosure.minimum_count} real patients or more, or such as the protocol accepts",
        )


def render_protocol(protocol: Protocol) -> str:
    """The protocol with the released folder, in which it lies, as the source of every site; everything else is as it was, defaults included.

    What of ``pooling`` asks for real patients here, or for files of this place, stays here.
    """
    content: Any = protocol.plain()
    sites = {site: {"source": "release", "path": ".", "site": site} for site in protocol.sites}
    content |= {"data": {"sites": sites}, "pooling": content["pooling"] | {"here": [], "site_results": {}}}
    head = "# AI-generated patients stand in for the real ones: replicate 0 of the release in this folder.\n"
    return head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)


def _refusal(
    generator: str, reasons: list[str], remedy: str, *, allowed: str = "the verdict release at every site, on the patients that are released"
) -> ReleaseError:
    found = "\n             ".join(reasons)
    return ReleaseError(f"release of {generator}: refused, nothing was written\n    found    {found}\n    allowed  {allowed}\n    to do    {remedy}")


def _json(content: Mapping[str, object]) -> bytes:
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _csv(frame: pd.DataFrame) -> bytes:
    truth = {str(name): frame[name].map({True: "true", False: "false"}) for name in frame if frame[name].dtype.kind == "b"}
    return frame.assign(**truth).to_csv(index=False, lineterminator="\n").encode()


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()
