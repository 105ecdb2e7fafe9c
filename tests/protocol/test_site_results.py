"""Files of site results that must be refused, each with what the message says; one that is sound is read."""

from __future__ import annotations

import copy
import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parallax.disclosure.combined import disclose_combined
from parallax.errors import ProtocolError
from parallax.protocol.checks.sites import SourceFacts
from parallax.protocol.protocol import digest_of
from parallax.signing import SUFFIX, sign_file
from parallax.sites.reading import LARGEST_BYTES, find_copies, read_site_results
from parallax.sites.site_results import SiteResults
from site_tables import ELSEWHERE, answers, sound, sound_results, write_results

Content = dict[str, Any]


def read(folder: Path, **entry: object) -> SiteResults:
    protocol = sound(site_results={ELSEWHERE: {"path": f"{ELSEWHERE}.json", **entry}})
    return read_site_results(protocol, folder=folder)[ELSEWHERE]


def refusal(folder: Path, **entry: object) -> str:
    with pytest.raises(ProtocolError) as caught:
        read(folder, **entry)
    return str(caught.value)


def test_a_sound_file(tmp_path: Path) -> None:
    write_results(tmp_path, sound_results())
    results = read(tmp_path)
    row = results.combined("real").iloc[0]
    assert row["estimate"] == pytest.approx(0.741, rel=1e-4), "shown to two digits of its standard error"
    assert row["std_error"] == pytest.approx(0.1)
    assert (row["n_treated"], row["events_comparator"], row["df"]) == (100, 50, math.inf)
    assert results.verdicts == {"sequential": "release"}


def test_nothing_in_a_file_is_more_precise_than_what_is_shown(tmp_path: Path) -> None:
    """An estimate and its error come to two digits of the standard error, as everything shown: full precision would tell exact counts."""
    answer = sound_results(estimate=-0.123456789012, error=0.0456789012345)["answers"][0]
    assert answer["estimate"] == pytest.approx(math.log(0.884), abs=1e-4)
    assert answer["variance"] == float(f"{0.046**2:.4g}")
    assert answer["lower"] <= answer["estimate"] <= answer["upper"]


def change(*steps: str | int, to: object) -> Callable[[Content], None]:
    def apply(content: Content) -> None:
        part: Any = content
        for step in steps[:-1]:
            part = part[step]
        part[steps[-1]] = to

    return apply


def repeat_answer(content: Content) -> None:
    content["answers"].append(content["answers"][0])


def drop_primary(content: Content) -> None:
    content["answers"][0] |= {"horizon_days": 180.0}


def other_protocol(content: Content) -> None:
    content["protocol"]["designs"]["matched"]["caliper_sd"] = 0.5
    content["protocol"]["disclosure"]["minimum_count"] = 3
    content["study_digest"] = digest_of(content["protocol"])


def answer(**changed: object) -> Callable[[Content], None]:
    return lambda content: content["answers"][0].update(changed)


def unprintable_protocol(content: Content) -> None:
    content["protocol"]["designs"]["\x1b[31mred\n"] = {"method": "none"}
    content["study_digest"] = digest_of(content["protocol"])


IMPOSSIBLE = {
    "variance that would be all of the answer": (answer(variance=1e-12), "an interval of another width than its variance has"),
    "variance below what events can give": (
        answer(variance=1e-6, lower=-0.30196, upper=-0.29804, p_value=0.0),
        "answers[0].variance\n      found    1e-06, with 90 events\n      allowed  0.0056 or more",
    ),
    "variance of risks below what events can give": (
        answer(contrast="risk_difference", estimate=-0.2, variance=1e-12, lower=-0.20000196, upper=-0.19999804, p_value=0.0),
        "answers[0].variance\n      found    1e-12, with 90 events\n      allowed  5.2e-05 or more",
    ),
    "variance of all events below what they can give": (
        answer(events_treated=None, events_comparator=None, variance=1e-6, lower=-0.30196, upper=-0.29804, p_value=0.0),
        "answers[0].variance\n      found    1e-06, with up to 300 events\n      allowed  0.0017 or more",
    ),
    "variance too small to divide by": (answer(variance=1e-320), "answers[0].variance\n      found    9.99989e-321"),
    "variance without end": (answer(variance=1e308), "answers[0].variance\n      found    1e+308"),
    "ratio without end": (answer(estimate=800.0, lower=799.8, upper=800.2), "a logarithm of a ratio that is no number"),
    "estimate without end": (answer(estimate=1e300), "answers[0].estimate\n      found    1e+300"),
    "difference of risks of seven": (
        answer(contrast="risk_difference", estimate=7.0, lower=6.804, upper=7.196),
        "a difference of risks beyond −1 … 1",
    ),
    "degrees of freedom of nothing": (answer(df=1e-300), "an interval of another width than its variance has"),
    "count without end": (answer(n_treated=10**400), "answers[0].n_treated\n      found    int"),
    "replicates without end": (answer(replicates=10**400), "answers[0].replicates\n      found    int"),
    "mean without end": (change("characteristics", 0, "mean", to=1e308), "characteristics[0].mean\n      found    1e+308"),
    "spread without end": (change("characteristics", 0, "standard_deviation", to=1e308), "characteristics[0].standard_deviation"),
    "formula as a level": (change("characteristics", 2, "level", to="=cmd|' /C calc'!A0"), "characteristics[2].level\n      found    str"),
    "formula behind a sign": (answer(effective_estimand="-2+cmd()"), "answers[0].effective_estimand\n      found    str"),
    "control characters in a level": (change("characteristics", 2, "level", to="f\x1b[2J"), "characteristics[2].level\n      found    str"),
    "control characters in a key": (change("\x1b[2Jkey\n", to=1), "?[2Jkey?\n      found    1"),
    "control characters in a protocol": (unprintable_protocol, "another study: it differs in designs.?[31mred?"),
    "balance of an unknown covariate": (change("balance", 0, "covariate", to="income"), "a covariate, a design or a generator"),
    "overlap of an unknown design": (change("overlap", 0, "design", to="greedy"), "a covariate, a design or a generator"),
    "negative variance": (change("answers", 0, "variance", to=-0.01), "answers[0].variance\n      found    -0.01"),
    "no variance": (change("answers", 0, "variance", to=None), "an estimate without its variance"),
    "zero variance": (change("answers", 0, "variance", to=0.0), "answers[0].variance\n      found    0"),
    "interval that leans to one side": (
        answer(lower=-0.3 - 0.098, upper=-0.3 + 0.294),
        "an interval whose middle is not its estimate",
    ),
    "p-value of no difference": (answer(p_value=0.9), "a p-value that its estimate and its variance do not give"),
    "p-value of far more patients": (answer(p_value=1e-9), "a p-value that its estimate and its variance do not give"),
    "p-value of a normal where few replicates are": (answer(df=2.0, lower=-0.73027, upper=0.13027, p_value=0.0027), "a p-value that its estimate"),
    "interval beside the estimate": (change("answers", 0, "lower", to=-0.2), "an interval that does not contain its estimate"),
    "not a number": (change("answers", 0, "estimate", to=math.nan), "answers[0].estimate\n      found    nan"),
    "infinite": (change("answers", 0, "upper", to=math.inf), "answers[0].upper\n      found    inf"),
    "text for a number": (change("answers", 0, "estimate", to="<script>"), "answers[0].estimate\n      found    str"),
    "formula": (change("answers", 0, "variance_method", to="=cmd()"), "answers[0].variance_method\n      found    str"),
    "control characters": (change("answers", 0, "effective_estimand", to="ATO\n\x1b[2J"), "answers[0].effective_estimand\n      found    str"),
    "p-value of two": (change("answers", 0, "p_value", to=2.0), "answers[0].p_value\n      found    2"),
    "more events than patients": (change("answers", 0, "events_treated", to=105), "more events than patients"),
    "events of nobody": (change("answers", 0, "n_treated", to=None), "an estimate of patients who are not counted"),
    "risk without its events": (
        answer(contrast="risk_difference", events_treated=None, events_comparator=None),
        "an estimate made of events that are not counted",
    ),
    "difference of restricted means beyond the horizon": (
        answer(contrast="rmst_difference", estimate=31.0, lower=30.804, upper=31.196, p_value=None),
        "a difference of restricted means beyond its horizon",
    ),
    "negative count": (change("answers", 0, "n_treated", to=-5), "answers[0].n_treated\n      found    -5"),
    "half a patient": (change("answers", 0, "n_treated", to=100.5), "answers[0].n_treated\n      found    100.5"),
    "cell below the minimum": (
        change("answers", 0, "events_treated", to=5),
        "answers[0].events_treated\n      found    a count that was not disclosure",
    ),
    "count not rounded": (change("answers", 0, "n_comparator", to=203), "answers[0].n_comparator\n      found    a count that was not disclosure"),
    "small cell in Table 1": (change("characteristics", 2, "count", to=5), "characteristics[2].count\n      found    a count that was not"),
    "few without an event": (change("answers", 0, "events_treated", to=100), "events that leave fewer patients without one than may be shown"),
    "more women than patients": (change("characteristics", 2, "count", to=200), "more patients of a level than there are patients"),
    "share of two": (change("characteristics", 2, "mean", to=2.0), "a share beyond 0 … 1"),
    "numbers of what is not estimable": (change("answers", 0, "status", to="not_estimable"), "an answer that is not estimable, with numbers"),
    "unknown key": (change("patients", to=[1, 2, 3]), "patients\n      found    list"),
    "other format": (change("format", to="parallax site results 2"), "format\n      found    str"),
    "no answers": (change("answers", to=[]), "answers\n      found    list"),
    "same answer twice": (repeat_answer, "answers[1]\n      found    the same answer a second time"),
    "no primary answer": (drop_primary, "no primary answer of the real patients"),
    "unasked horizon": (change("answers", 0, "horizon_days", to=31.0), "an answer that the protocol does not ask for"),
    "unknown design": (change("answers", 0, "design", to="greedy"), "an answer that the protocol does not ask for"),
    "unknown dataset": (change("answers", 0, "dataset", to="tvae"), "an answer that the protocol does not ask for"),
    "combining rule of real patients": (change("answers", 0, "rule", to="partial"), "none for the real patients"),
    "unknown covariate": (change("characteristics", 0, "covariate", to="income"), "a covariate, a design or a generator that the protocol"),
    "follow-up as it is": (change("follow_up", 0, "median_days", to=69.0), "follow_up[0].median_days\n      found    a number that was not"),
    "follow-up beyond the study's": (change("follow_up", 0, "median_days", to=501.0), "follow_up[0].median_days\n      found    501 days"),
    "follow-up of nobody": (change("follow_up", to=[]), "follow_up\n      found    other outcomes than the protocol's"),
    "follow-up of another outcome": (change("follow_up", 0, "outcome", to="relapse"), "follow_up\n      found    other outcomes than the"),
    "follow-up of no time": (change("follow_up", 0, "median_days", to=0.0), "follow_up[0].median_days\n      found    0"),
    "verdict of an unknown generator": (change("verdicts", to={"tvae": "release"}), "a covariate, a design or a generator that the protocol"),
    "another site's": (change("site", to="island"), 'the results of "island"'),
    "another study": (other_protocol, "another study: it differs in designs.matched.caliper_sd, disclosure.minimum_count"),
    "digest of another protocol": (change("study_digest", to="0" * 64), "another digest than that of the protocol in the file"),
    "protocol changed under its digest": (change("protocol", "study", "seed", to=2), "another digest than that of the protocol in the file"),
}


@pytest.mark.parametrize("fault", IMPOSSIBLE)
def test_what_cannot_be_true_is_refused(fault: str, tmp_path: Path) -> None:
    apply, said = IMPOSSIBLE[fault]
    content = sound_results()
    apply(content)
    write_results(tmp_path, content)
    message = refusal(tmp_path)
    assert said in message
    assert f"pooling.site_results.{ELSEWHERE}" in message
    assert "<script>" not in message, "what a stranger wrote is not repeated"
    assert "\x1b" not in message


def test_events_that_nearly_everybody_has_are_hidden_and_the_hazards_are_not(tmp_path: Path) -> None:
    """95 of 100 and 195 of 200 died: so few are alive that the deaths are not told. 0.2² is three times 4/290."""
    died = answers((-0.3, 0.2), events_treated=95.0, events_comparator=195.0)
    shown = disclose_combined(died, sound().disclosure)
    assert shown[["events_treated", "events_comparator"]].isna().all(axis=None)
    content = sound_results(table=died)
    assert (content["answers"][0]["events_treated"], content["answers"][0]["variance"]) == (None, pytest.approx(0.04))
    write_results(tmp_path, content)
    assert read(tmp_path).combined("real")["std_error"].tolist() == [pytest.approx(0.2)]


def test_more_events_than_patients_are_no_fault_of_a_count() -> None:
    """Visits to a doctor: 400 of 100 patients, whose rate has no patients without one."""
    counted = answers((-0.3, 0.1), contrast="rate_ratio", events_treated=400.0, events_comparator=500.0)
    assert sound_results(table=counted)["answers"][0]["events_treated"] == 400


@pytest.mark.parametrize("level", ["+", "-", "-9", "+1.5", "<=20mm", "no, never"])
def test_levels_that_are_signs_or_numbers_are_read(level: str, tmp_path: Path) -> None:
    content = sound_results()
    content["characteristics"][2]["level"] = level
    write_results(tmp_path, content)
    assert level in read(tmp_path).table_1()["level"].tolist()


def test_all_faults_of_all_files_in_one_message(tmp_path: Path) -> None:
    content = sound_results()
    content["answers"][0] |= {"variance": -1.0, "p_value": 3.0}
    write_results(tmp_path, content)
    (tmp_path / "island.json").write_text("no JSON", encoding="utf-8")
    protocol = sound(site_results={name: {"path": f"{name}.json"} for name in (ELSEWHERE, "island", "nowhere")})
    with pytest.raises(ProtocolError) as caught:
        read_site_results(protocol, folder=tmp_path)
    assert len(caught.value.faults) == 4, caught.value
    for said in ("variance", "p_value", "no site results", "nowhere.json: a file that cannot be read (No such file or directory)"):
        assert said in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"answers": ' + "[" * 5000, "\ud800".encode("utf-8", "surrogatepass"), b"\x00" * 100])
def test_what_is_no_file_of_results(content: str | bytes, tmp_path: Path) -> None:
    path = tmp_path / f"{ELSEWHERE}.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert f"pooling.site_results.{ELSEWHERE}" in refusal(tmp_path)


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / f"{ELSEWHERE}.json").open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    assert "a file of more than 20 MB" in refusal(tmp_path)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path, "harbour")


def make_key(folder: Path, name: str) -> Path:
    key = folder / f"{name}.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
    key.chmod(0o600)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", folder / f"{name}.pub"], check=True, capture_output=True)
    return key


def sign(path: Path, key: Path) -> None:
    path.with_name(path.name + SUFFIX).write_bytes(sign_file(path, key=key))


def test_a_signed_file(tmp_path: Path, key: Path) -> None:
    sign(write_results(tmp_path, sound_results()), key)
    assert read(tmp_path, public_key="harbour.pub").site == ELSEWHERE


def test_a_file_altered_after_signing(tmp_path: Path, key: Path) -> None:
    path = write_results(tmp_path, sound_results())
    sign(path, key)
    path.write_text(path.read_text().replace("40", "45", 1))
    assert "the file was changed after it was signed" in refusal(tmp_path, public_key="harbour.pub")


def test_what_was_checked_is_what_is_read(tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is another one whenever it is read again."""
    path = write_results(tmp_path, sound_results())
    sign(path, key)
    read_bytes, times = Path.read_bytes, []

    def read_and_swap(self: Path) -> bytes:
        content = read_bytes(self)
        if self == path:
            times.append(1)
            self.write_text(json.dumps(sound_results(estimate=-0.9)))
        return content

    monkeypatch.setattr(Path, "read_bytes", read_and_swap)
    assert read(tmp_path, public_key="harbour.pub").answers[0].estimate == pytest.approx(-0.3, abs=1e-3)
    assert len(times) == 1


def test_a_file_signed_by_another(tmp_path: Path, key: Path) -> None:
    sign(write_results(tmp_path, sound_results()), make_key(tmp_path, "stranger"))
    assert "no signature of this file by this key" in refusal(tmp_path, public_key="harbour.pub")


def test_a_file_without_its_signature(tmp_path: Path, key: Path) -> None:
    write_results(tmp_path, sound_results())
    assert f"{ELSEWHERE}.json.sig" in refusal(tmp_path, public_key="harbour.pub")


def test_a_key_that_is_none(tmp_path: Path, key: Path) -> None:
    sign(write_results(tmp_path, sound_results()), key)
    (tmp_path / "harbour.pub").write_text("no key")
    assert "no public key in PEM" in refusal(tmp_path, public_key="harbour.pub")


MONTHS = (
    "1 fault in the site results from elsewhere:\n"
    "  pooling.site_results.harbour\n"
    '      found    a median follow-up about 31.6 times as short as at site "clinic" (outcome death): one of the two does not count in days, '
    "harbour perhaps in months\n"
    "      allowed  a median follow-up within a factor of 5 (data.follow_up_ratio) of every other site's\n"
    "      to do    have the institution give the factor of its unit, such as 30.4375, run the study again and send its results again, "
    "or raise data.follow_up_ratio if the sites do differ so"
)


def facts(days: float) -> dict[str, SourceFacts]:
    return {"clinic": SourceFacts(median_follow_up={"death": days})}


def test_months_for_days_elsewhere(tmp_path: Path) -> None:
    """100 days are 3.29 months, which is told as 3.16."""
    content = sound_results()
    content["follow_up"][0]["median_days"] = 3.16
    write_results(tmp_path, content)
    protocol = sound(site_results={ELSEWHERE: {"path": f"{ELSEWHERE}.json"}})
    with pytest.raises(ProtocolError) as caught:
        read_site_results(protocol, folder=tmp_path, here=facts(94.8))
    assert str(caught.value) == MONTHS
    wider = protocol.model_copy(update={"data": protocol.data.model_copy(update={"follow_up_ratio": 31.0})})
    assert list(read_site_results(wider, folder=tmp_path, here=facts(94.8))) == [ELSEWHERE]


def test_the_time_of_the_median_patient_here_cannot_be_solved_for(tmp_path: Path) -> None:
    """A told step times the exact ratio would be the exact median: 158 and 141.3 days come to one step, and the message is the same."""
    content = sound_results()
    content["follow_up"][0]["median_days"] = 3.16
    write_results(tmp_path, content)
    protocol = sound(site_results={ELSEWHERE: {"path": f"{ELSEWHERE}.json"}})
    said = set()
    for days in (141.3, 158.0, 177.7):
        with pytest.raises(ProtocolError) as caught:
            read_site_results(protocol, folder=tmp_path, here=facts(days))
        said.add(str(caught.value))
    assert len(said) == 1, said


def test_months_for_days_here(tmp_path: Path) -> None:
    write_results(tmp_path, sound_results())
    protocol = sound(site_results={ELSEWHERE: {"path": f"{ELSEWHERE}.json"}})
    with pytest.raises(ProtocolError, match=r'data\.sites\.clinic\.mapping\.days\n .* about 31.6 times as short as at site "harbour"'):
        read_site_results(protocol, folder=tmp_path, here=facts(100 / 31.6))
    assert list(read_site_results(protocol, folder=tmp_path, here=facts(21.0))) == [ELSEWHERE]


def test_months_for_days_between_two_sites_elsewhere(tmp_path: Path) -> None:
    """The other answers are another site's, so that the two are no copies."""
    write_results(tmp_path, sound_results())
    other = sound_results(estimate=-0.5) | {"site": "island", "follow_up": [{"outcome": "death", "median_days": 3.16}]}
    write_results(tmp_path, other, name="island")
    protocol = sound(site_results={name: {"path": f"{name}.json"} for name in (ELSEWHERE, "island")})
    with pytest.raises(ProtocolError, match=r'pooling\.site_results\.island\n .* at site "harbour"'):
        read_site_results(protocol, folder=tmp_path)


def test_follow_up_that_is_not_told_is_not_compared(tmp_path: Path) -> None:
    content = sound_results()
    content["follow_up"][0]["median_days"] = None
    write_results(tmp_path, content)
    protocol = sound(site_results={ELSEWHERE: {"path": f"{ELSEWHERE}.json"}})
    assert read_site_results(protocol, folder=tmp_path, here=facts(1.0))[ELSEWHERE].median_follow_up == {}


def test_one_file_under_two_names(tmp_path: Path) -> None:
    content = sound_results()
    write_results(tmp_path, content)
    write_results(tmp_path, copy.deepcopy(content) | {"site": "island"}, name="island")
    protocol = sound(site_results={name: {"path": f"{name}.json"} for name in (ELSEWHERE, "island")})
    with pytest.raises(ProtocolError, match="the same answers as at harbour, in all 1 estimates"):
        read_site_results(protocol, folder=tmp_path)


def test_a_site_here_that_is_also_elsewhere(tmp_path: Path) -> None:
    """Both are compared as they are shown."""
    write_results(tmp_path, sound_results(estimate=-0.31234567, error=0.10123456))
    elsewhere = read(tmp_path).combined("real")
    here = disclose_combined(answers((-0.31234567, 0.10123456)), sound().disclosure)
    assert [fault.where for fault in find_copies({"clinic": here, ELSEWHERE: elsewhere})] == ["site harbour"]
    assert not find_copies({"clinic": answers((-0.309, 0.10123456)), ELSEWHERE: elsewhere}), "three hundredths of a standard error apart"
    assert not find_copies({"clinic": answers((math.nan, math.nan)), ELSEWHERE: elsewhere})


def test_the_file_is_json_with_sorted_keys_and_holds_no_path(tmp_path: Path) -> None:
    content = sound_results()
    assert "data" not in content["protocol"]
    assert "patients.csv" not in json.dumps(content)
