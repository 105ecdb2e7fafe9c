"""What every report holds, whatever the study."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest

from parallax.errors import StorageError
from parallax.protocol.designs import DesignsSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.protocol import Protocol
from parallax.reporting.external_control import render_external_control
from parallax.reporting.figures.external_control import CONTROL
from parallax.reporting.inputs import ReportInputs
from parallax.reporting.report import render_report
from parallax.reporting.results import collect_estimates
from parallax.validation.combining import select_answers
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


def folded(report: str) -> list[str]:
    return re.findall(r"<summary>([^<]*)</summary>", report)


def test_only_the_primary_contrast_stands_open(report: str) -> None:
    headings = re.findall(r"<h3>([^<]*)</h3>", report)
    assert headings == ["Proportional hazards", "Hazard ratio of death"]
    assert {"Risk difference of death", "Risk ratio of death", "Difference in restricted mean survival time of death"} <= set(folded(report))


def test_diagnostics_have_no_figure_of_effects_and_no_shift(report: str) -> None:
    for contrast in ("interval_hazard_ratio", "hazard_ratio_trend", "log_rank"):
        assert f"effects-death-{contrast}" not in report
    shifts = report[report.index('class="shifts"') :]
    assert "log-rank" not in shifts[: shifts.index("</table>")]


def test_new_answers_have_their_place(report: str) -> None:
    words = " ".join(" ".join(read(report).text).split())
    order = [
        "Survival, real and synthetic",
        "The hazard ratio of death is not constant (p = 0.003)",
        "Effects, real and synthetic",
        "p adjusted (Holm)",
        "Subgroups",
        "How robust is the real answer?",
        "by risk ratios of 1.45 each",
        "E-value (interval)",
        "Systematic error by negative controls",
        "Agreement of the effects",
        "Fidelity of the distributions",
    ]
    words = words[words.index("Who was left out") :]
    positions = [words.index(part) for part in order]
    assert positions == sorted(positions)
    assert "number needed to harm" in words


def test_systematic_error_stands_beside_the_real_one(report: str) -> None:
    start = report.index("Systematic error by negative controls")
    words = " ".join(" ".join(read(f"<table><caption>{report[start:].partition('</table>')[0]}</table>").text).split())
    assert "real over 6 negative controls 0.030 −0.020 to 0.080 0.040 0.000–0.120" in words
    assert "gaussian copula over 6 negative controls −0.110" in words
    assert "−0.140 −0.180 to −0.100" in words


def test_an_enriched_subgroup_has_the_valid_interval_beside_the_one_that_is_not(report: str) -> None:
    section = report.split('id="enrichment-1"')[1].split("</section>")[0]
    words = " ".join(" ".join(read(f"<section>{section.partition('>')[2]}</section>").text).split())
    assert "Hazard ratio of death by day 30 among enriched subgroups · overlap" in words
    assert "Metastatic: fac_ca = 'Metastatic' real 120 / 265" in words
    assert "2,000 in each of 10 replicates" in words
    assert "Naive (invalid)" in words
    assert section.count('class="invalid"') == 3
    assert words.count("not estimable: synthesis.enrichment[1].keep: found fewer than 10 real patients in the treated arm") == 4


def test_sections_without_content_do_not_appear(inputs: ReportInputs) -> None:
    question = inputs.protocol.question.model_copy(update={"secondary": ()})
    protocol = inputs.protocol.model_copy(update={"question": question})
    site = replace(inputs.sites["support"], subgroups={}, interactions={}, robustness={}, hazard_course={}, enrichment={})
    text = render_report(replace(inputs, protocol=protocol, sites={"support": site}))
    for name in ("subgroups", "enrichment", "robustness", "family"):
        assert f'id="{name}-1"' not in text
        assert f'href="#{name}-1"' not in text


def test_a_study_without_follow_up_has_effects_and_no_survival(inputs: ReportInputs) -> None:
    protocol, contrasts = inputs.protocol, ("risk_difference", "risk_ratio")
    outcomes = OutcomesSection.model_validate({"death": {"type": "binary", "value": "dead", "contrasts": contrasts}})
    changed = {"contrast": "risk_difference", "horizon_days": None}
    question = protocol.question.model_copy(update={"primary": protocol.question.primary.model_copy(update=changed), "secondary": ()})
    protocol = protocol.model_copy(update={"outcomes": outcomes, "question": question})

    def without_follow_up(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
        kept = {name: table[table["contrast"].isin(contrasts) & (table["horizon_days"] == 30)] for name, table in tables.items()}
        return {name: table.assign(horizon_days=math.nan) for name, table in kept.items()}

    site = inputs.sites["support"]
    changed_tables = {name: without_follow_up(getattr(site, name)) for name in ("combined", "agreement", "subgroups", "interactions")}
    site = replace(site, curves={}, hazard_course={}, robustness={}, enrichment={}, **changed_tables)
    text = render_report(replace(inputs, protocol=protocol, sites={"support": site}))
    assert 'id="survival-1"' not in text
    assert 'href="#survival-1"' not in text
    assert "<h3>Risk difference of death</h3>" in text
    assert "Risk difference of death in subgroups" in text
    assert "follow-up ·" not in text


def test_where_events_compete_hazards_are_cause_specific(inputs: ReportInputs) -> None:
    death = inputs.protocol.outcomes["death"].model_copy(update={"competing": (2,)})
    outcomes = inputs.protocol.outcomes.model_copy(update={"root": {"death": death}})
    text = render_report(replace(inputs, protocol=inputs.protocol.model_copy(update={"outcomes": outcomes})))
    assert "<h3>Cause-specific hazard ratio of death</h3>" in text
    assert "Risk difference (cumulative incidence) of death" in folded(text)
    assert "One minus the cumulative incidence, death" in text


def test_designs_that_model_the_outcome_are_not_judged_by_balance(inputs: ReportInputs) -> None:
    designs = DesignsSection.model_validate(inputs.protocol.designs.model_dump() | {"crude": {"method": "regression"}})
    site = inputs.sites["support"]
    overlap = {name: table.assign(failed=0, failure=None) for name, table in site.overlap.items()}
    text = render_report(
        replace(inputs, protocol=inputs.protocol.model_copy(update={"designs": designs}), sites={"support": replace(site, overlap=overlap)})
    )
    assert ">adjusts by a model<" in text
    love = next(str(picture["aria-label"]) for picture in read(text).pictures if str(picture["aria-label"]).startswith("Love plot"))
    assert "crude" not in love


def test_each_line_of_fidelity_tells_its_own_gate(inputs: ReportInputs) -> None:
    site = inputs.sites["support"]
    fidelity = {name: table.copy() for name, table in site.fidelity.items()}
    for table in fidelity.values():
        table.loc[(table["metric"] == "km_gap") & (table["variable"] == "death/comparator"), "threshold"] = 0.077
    text = render_report(replace(inputs, sites={"support": replace(site, fidelity=fidelity)}))
    assert text.count("<td>at most 0.077</td>") == 1
    assert text.count("<td>at most 0.03</td>") == 2


def test_an_external_control_is_called_ai_generated(inputs: ReportInputs, report: str) -> None:
    assert 'id="external-control"' not in report
    site = inputs.sites["support"]
    found = collect_estimates(
        {("support", "external_control"): select_answers(site.combined["sequential"])}, {("support", "external_control"): site.overlap["sequential"]}
    )
    table = found.assign(dataset=CONTROL).astype({"horizon_days": "float64"})
    text = render_report(replace(inputs, external_control=table))
    section = text.split('id="external-control"')[1].split("</section>")[0]
    words = " ".join(" ".join(read(f"<section>{section.partition('>')[2]}</section>").text).split())
    assert words.startswith("AI-generated control Real treated patients of this study beside the comparators of a release")
    assert "no verdict rests on this section" in words
    assert "Patients, treated / AI-generated" in words
    assert "All estimates against the AI-generated control" in words
    assert section.count("2,185 / 3,550") > 4
    assert section in render_external_control(table, inputs.protocol), "a single-arm trial has the section as a page"
    assert '<a href="#external-control">AI-generated control</a>' in text
    assert "external_control.csv" in text
    assert "synthetic control" not in text


def test_an_attack_that_told_nothing_is_not_called_unevaluated(inputs: ReportInputs) -> None:
    verdict: dict[str, Any] = copy.deepcopy(dict(inputs.verdict))
    gate = next(gate for gate in verdict["sites"]["support"]["sequential"]["gates"] if gate["metric"] == "linkability")
    gate |= {"outcome": "not_informative", "value": None, "upper": None}
    chips = re.findall(r'<li class="not_informative"[^>]*>([^<]*)</li>', render_report(replace(inputs, verdict=verdict)))
    assert any("not informative" in chip for chip in chips)
    assert not any("not evaluated" in chip for chip in chips)


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


def test_a_generator_that_stays_near_those_whom_it_saw_is_flagged() -> None:
    inputs = simulated_inputs()
    (site,) = inputs.sites.values()
    assert "nearer to those whom the generator saw" not in render_report(inputs)
    rows = site.privacy["sequential"]
    near = rows.assign(lower=rows["lower"].where(rows["metric"] != "closest_to_train", 0.501))
    flagged = replace(site, privacy=dict(site.privacy) | {"sequential": near})
    text = render_report(replace(inputs, sites={"support": flagged}))
    assert "The patients of sequential lie nearer to those whom the generator saw" in text


def simulated_rates(sites: tuple[str, ...], generators: tuple[str, ...]) -> pd.DataFrame:
    """What certification.csv holds: every study is judged, every other share a half."""
    rows = []
    for site in sites:
        for generator in ("real", *generators):
            for rule in ("none",) if generator == "real" else ("partial", "naive", "stacked"):
                for effect in ("no_effect", "minimal_important", "stronger"):
                    rejected = "type_1_error" if effect == "no_effect" else "power"
                    for metric in ("bias", "coverage", rejected, *(("gate_failure", "gate_undecided") if rule == "partial" else ())):
                        share = {"value": 0.5, "monte_carlo_error": 0.05, "lower": 0.4, "upper": 0.6, "repetitions": 100}
                        share |= {"value": 0.0} if metric == "gate_undecided" else {}
                        rows.append({"site": site, "generator": generator, "effect": effect, "rule": rule, "metric": metric} | share)
    return pd.DataFrame(rows)


def test_a_certificate_stands_in_words_and_in_a_figure(inputs: ReportInputs, report: str) -> None:
    assert "What a pass is worth" not in report
    certification = {"repetitions": 100, "minimal_important_effect": 0.8}
    protocol = Protocol.of(inputs.protocol.plain() | {"validation": {"certification": certification}})
    rates = simulated_rates(tuple(inputs.sites), (*protocol.certified_generators, "correct", "flat_copula"))
    text = render_report(replace(inputs, protocol=protocol, certification=rates, verdict={**inputs.verdict, "certified": True}))
    reader = _Reader()
    reader.feed(text)
    assert "certificate-1" in reader.ids
    said = " ".join(reader.text)
    assert "catches a flat copula in 50.0% (40.0–60.0%) of the studies, and the interval must begin at 80%: its pass is no evidence here." in said
    assert "not certified" not in said
    assert any("Error rates" in str(picture.get("aria-label")) for picture in reader.pictures)
