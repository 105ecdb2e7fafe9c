"""What every report holds, whatever the study."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest

from parallax.errors import StorageError
from parallax.reporting.inputs import ReportInputs
from parallax.reporting.report import render_report
from simulated_tables import simulated_attrition, simulated_inputs


@pytest.fixture(scope="module")
def inputs() -> ReportInputs:
    return simulated_inputs()


@pytest.fixture(scope="module")
def report(inputs: ReportInputs) -> str:
    return render_report(inputs)


@pytest.fixture(scope="module")
def two_sites() -> str:
    return render_report(simulated_inputs(sites={"oslo": ("tvae",), "bergen": ()}))


class _Reader(HTMLParser):
    """Open elements, ids, references and visible text."""

    VOID = frozenset({"meta", "path", "use", "rect", "circle", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: set[str] = set()
        self.pictures: list[dict[str, str | None]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        if tag not in self.VOID:
            self.open.append(tag)
        if named.get("id"):
            self.ids.append(str(named["id"]))
        if tag == "svg":
            self.pictures.append(named)
        self.references |= set(re.findall(r"url\(#([^)]+)\)", " ".join(str(value) for _, value in attributes)))
        self.references |= {str(value)[1:] for name, value in attributes if name.endswith("href") and str(value).startswith("#")}

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "pre"}:
            self.text.append(data)


def read(report: str) -> _Reader:
    reader = _Reader()
    reader.feed(report)
    reader.close()
    assert reader.open == []
    return reader


def test_the_verdict_comes_first(report: str) -> None:
    words = " ".join(read(report).text)
    order = [
        "One of three generators may be released: sequential.",
        "Not certified: the false-alarm rate",
        "Do not release",
        "What is asked",
        "Who was left out",
    ]
    positions = [words.index(part) for part in order]
    assert positions == sorted(positions)


@pytest.mark.parametrize("made", ["report", "two_sites"])
def test_every_picture_says_what_it_shows(made: str, request: pytest.FixtureRequest) -> None:
    pictures = read(request.getfixturevalue(made)).pictures
    assert len(pictures) >= 8
    for picture in pictures:
        assert picture["role"] == "img"
        assert len(str(picture["aria-label"])) > 40


@pytest.mark.parametrize("made", ["report", "two_sites"])
def test_nothing_is_fetched_and_every_reference_is_in_the_page(made: str, request: pytest.FixtureRequest) -> None:
    text = request.getfixturevalue(made)
    assert not re.search(r"https?:|<script|<link|<img|@import|src=", text)
    reader = read(text)
    assert len(reader.ids) == len(set(reader.ids))
    assert reader.references <= set(reader.ids)
    assert len(text) < 3_000_000


def test_no_exact_count_is_shown(report: str) -> None:
    words = " ".join(read(report).text)
    for exact in ("2184", "2,184", "3551", "3,551", "2187", "2,187", "1,088", "1,673"):
        assert exact not in words
    assert "2,185" in words
    assert "<10" in words


def test_an_exact_table_is_refused(inputs: ReportInputs) -> None:
    leaking = replace(inputs, sites={"support": replace(inputs.sites["support"], attrition=simulated_attrition())})
    with pytest.raises(StorageError, match=r"attrition of real at support[\s\S]*disclosure"):
        render_report(leaking)


def test_designs_that_are_not_balanced_are_flagged(report: str, inputs: ReportInputs) -> None:
    for flag in ("Design crude (not balanced)", "not balanced (real and synthetic)", "<small>not balanced</small>", "✕"):
        assert flag in report
    site = inputs.sites["support"]
    overlap = {
        name: table.assign(failed=table["applied"], failure="not balanced: largest SMD 0.20, allowed is 0.1") for name, table in site.overlap.items()
    }
    flagged = render_report(replace(inputs, sites={"support": replace(site, overlap=overlap)}))
    assert "failed on the real patients: not balanced" in flagged


def test_what_is_not_estimable_says_why(report: str) -> None:
    assert "Not estimable: tvae (matched): the propensity score is separated in 4 of 10 replicates." in report


def test_naive_intervals_are_called_invalid(report: str) -> None:
    assert "naive interval (invalid)" in report
    assert "Naive (invalid)" in report


def test_a_crashed_generator_is_inconclusive_with_its_reason(two_sites: str) -> None:
    assert "The generator stopped while fitting it to the patients: ValueError in SDV: the loss became infinite." in two_sites
    assert "Inconclusive" in two_sites


def test_the_same_inputs_give_the_same_bytes(report: str) -> None:
    assert render_report(simulated_inputs()) == report


def test_texts_of_the_protocol_cannot_become_markup(inputs: ReportInputs) -> None:
    study = inputs.protocol.study.model_copy(update={"title": "<script>alert(1)</script>"})
    text = render_report(replace(inputs, protocol=inputs.protocol.model_copy(update={"study": study})))
    assert "<script>" not in text


def test_a_site_without_any_generator_still_reports() -> None:
    text = render_report(simulated_inputs(sites={"support": ("sequential", "gaussian_copula", "tvae")}))
    words = " ".join(read(text).text)
    assert "No generator could be compared." in words
    assert "None of three generators may be released." in words


def test_a_generator_with_empty_tables_is_left_out_of_the_figures(inputs: ReportInputs) -> None:
    site = inputs.sites["support"]
    empty: dict[str, dict[str, pd.DataFrame]] = {
        name: {**getattr(site, name), "tvae": getattr(site, name)["tvae"].iloc[:0]}
        for name in ("score_histograms", "calibration", "positivity", "balance", "overlap", "curves", "agreement", "fidelity", "privacy")
    }
    assert "Right heart" in render_report(replace(inputs, sites={"support": replace(site, **empty)}))  # type: ignore[arg-type]
