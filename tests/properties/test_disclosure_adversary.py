"""An adversary with everything that is shown of a study with small cells: sums, differences and rounding intervals solved for each hidden count."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from parallax import tables
from parallax.cohort.characteristics import describe_arms
from parallax.cohort.concentration import measure_concentration
from parallax.disclosure.combined import disclose_combined
from parallax.disclosure.pooled import SiteAnswers, disclose_pooled
from parallax.disclosure.site import disclose_site
from parallax.protocol.cohort import Covariates
from parallax.protocol.loading import read_protocol

PROTOCOL = read_protocol(Path(__file__).parents[1] / "protocol/faults/sound.yaml")
MINIMUM, STEP = PROTOCOL.disclosure.minimum_count, PROTOCOL.disclosure.round_to
#: more than two: a curve can then lie between those that the estimates show
HORIZONS = (30.0, 60.0, 90.0, 180.0)
RISKS = ("risk_difference", "risk_ratio", "odds_ratio")
ARMS = ("treated", "comparator")
COVARIATES = Covariates(numeric=("age", "smoker"), categorical=("sex", "stage"))


def simulate(seed: int) -> pd.DataFrame:
    """Some dozens to hundreds of patients with rare levels, rare missing values, rare smokers and few events."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(60, 400))
    stage = rng.choice(["I", "II", "III", "IV"], n, p=rng.dirichlet([8, 6, 1, 0.3]))
    days = np.ceil(rng.exponential(rng.choice([60, 300, 3000]), n))
    return pd.DataFrame(
        {
            "treated": rng.random(n) < 0.5,
            "age": np.where(rng.random(n) < 0.03, np.nan, rng.normal(60, 10, n)),
            "smoker": (rng.random(n) < rng.choice([0.03, 0.3])).astype(float),
            "sex": rng.choice(["female", "male"], n, p=[0.93, 0.07]),
            "stage": np.where(rng.random(n) < 0.02, None, stage),
            "days": days,
        }
    )


def combine(patients: pd.DataFrame) -> pd.DataFrame:
    """COMBINED of the crude design: exact risks and their contrasts, and a hazard ratio of all follow-up."""
    rows = []
    arms = [patients[patients["treated"]], patients[~patients["treated"]]]
    for contrast, horizon in [*product(RISKS, HORIZONS), ("hazard_ratio", np.nan)]:
        n = [len(arm) for arm in arms]
        events = [int((arm["days"] <= (365 if np.isnan(horizon) else horizon)).sum()) for arm in arms]
        shares = [count / size if size else np.nan for count, size in zip(events, n, strict=True)]
        error = np.sqrt(sum(share * (1 - share) / size for share, size in zip(shares, n, strict=True) if size))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.divide(*shares)
            estimate = {"risk_difference": shares[0] - shares[1]}.get(contrast, ratio)
        known = np.isfinite(estimate) and error > 0
        numbers = (estimate, error, estimate - error, estimate + error, 0.5) if known else (np.nan,) * 5
        status = ("ok", None) if known else ("not_estimable", "no events in the treated arm by the horizon" if 0 in events else "no variance")
        rows.append(("crude", "death", contrast, horizon, "none", *numbers, np.nan, np.inf, 1, 0, *n, *events, "unadjusted", "model-based", *status))
    return tables.COMBINED.validate(pd.DataFrame(rows, columns=list(tables.COMBINED.columns)))


def follow(patients: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for arm, rows in (("treated", patients[patients["treated"]]), ("comparator", patients[~patients["treated"]])):
        days = np.unique(np.append(0.0, rows["days"].to_numpy()))
        alive = np.array([(rows["days"] > day).sum() for day in days]) / len(rows)
        before = np.array([(rows["days"] >= day).sum() for day in days], dtype=float)
        names = {"replicate": 0, "design": "crude", "outcome": "death", "arm": arm}
        parts.append(pd.DataFrame(names | {"time_days": days, "survival": alive, "lower": alive, "upper": alive, "at_risk": before}))
    return tables.CURVES.validate(pd.concat(parts, ignore_index=True))


def attrition_of(patients: pd.DataFrame, left_out: list[tuple[int, int]]) -> pd.DataFrame:
    remaining = np.array([patients["treated"].sum(), (~patients["treated"]).sum()])
    counts = [remaining + np.array(left_out[step:]).reshape(-1, 2).sum(axis=0) for step in range(len(left_out) + 1)]
    excluded = [0, *(sum(pair) for pair in left_out)]
    rows = [(step, f"step {step}", "a reason", gone, *count) for step, (gone, count) in enumerate(zip(excluded, counts, strict=True))]
    return tables.ATTRITION.validate(pd.DataFrame(rows, columns=list(tables.ATTRITION.columns)))


@dataclass
class Adversary:
    """Whole numbers by name, what is known of each alone (``bounds``), and equations Σ factor·number = 0."""

    bounds: dict[str, tuple[float, float]] = field(default_factory=lambda: defaultdict(lambda: (0.0, 1e4)))
    equations: list[dict[str, float]] = field(default_factory=list)
    truth: dict[str, int] = field(default_factory=dict)

    def see(self, name: str, shown: object, truth: int) -> None:
        """A shown count holds its rounding interval; a suppressed one may be small, or hide another."""
        low, high = self.bounds[name]
        if not pd.isna(shown):
            least, most = float(shown) - STEP / 2, float(shown) + STEP / 2 - 1e-6
            low, high = max(low, MINIMUM, np.ceil(least)), min(high, np.floor(most))
        self.bounds[name] = (low, high)
        self.truth[name] = int(truth)

    def relate(self, whole: str, *parts: str) -> None:
        self.equations.append({whole: 1.0} | dict.fromkeys(parts, -1.0))

    def solve(self) -> dict[str, tuple[int, int]]:
        """The narrowest interval of every number that the adversary finds."""
        names = list(self.bounds)
        matrix = np.array([[equation.get(name, 0.0) for name in names] for equation in self.equations])
        found = {}
        for position, name in enumerate(names):
            ends = []
            for sign in (1.0, -1.0):
                cost = np.zeros(len(names))
                cost[position] = sign
                solved = linprog(cost, A_eq=matrix, b_eq=np.zeros(len(matrix)), bounds=[self.bounds[other] for other in names])
                assert solved.status == 0, solved.message
                ends.append(sign * solved.fun)
            found[name] = (int(np.ceil(ends[0] - 1e-6)), int(np.floor(ends[1] + 1e-6)))
        return found


def spy(exact: dict[tuple[str, str], pd.DataFrame], shown: dict[tuple[str, str], pd.DataFrame]) -> Adversary:
    adversary = Adversary()
    known, secret = ({name: side["real", name].reset_index(drop=True) for name in ("attrition", "combined", "subgroups")} for side in (shown, exact))
    steps = secret["attrition"].index
    for step, arm in product(steps, ARMS):
        adversary.see(f"remaining {step} {arm}", known["attrition"].loc[step, f"remaining_{arm}"], secret["attrition"].loc[step, f"remaining_{arm}"])
    for step in steps[1:]:
        gone = [f"gone {step} {arm}" for arm in ARMS]
        for name, arm in zip(gone, ARMS, strict=True):
            column = f"remaining_{arm}"
            adversary.see(name, None, secret["attrition"].loc[step - 1, column] - secret["attrition"].loc[step, column])
            adversary.relate(f"remaining {step - 1} {arm}", f"remaining {step} {arm}", name)
        adversary.see(f"gone {step}", known["attrition"].loc[step, "excluded"], secret["attrition"].loc[step, "excluded"])
        adversary.relate(f"gone {step}", *gone)
    last = steps[-1]
    table, of_all = shown["real", "characteristics"], exact["real", "characteristics"]
    for (name, arm), rows in table[table["kind"] == "categorical"].groupby(["covariate", "arm"]):
        parts = []
        secrets = of_all[(of_all["covariate"] == name) & (of_all["arm"] == arm) & (of_all["kind"] == "categorical")].set_index("level")["count"]
        for row in rows.to_dict("records"):
            parts.append(f"{name} {row['level']} {arm}")
            folded = secrets.drop(index=rows["level"], errors="ignore").sum()
            adversary.see(parts[-1], row["count"], secrets.get(row["level"], folded))
        missing = table[(table["covariate"] == name) & (table["arm"] == arm) & (table["kind"] == "missing")]
        if len(missing):
            parts.append(f"{name} missing {arm}")
            of_missing = of_all[(of_all["covariate"] == name) & (of_all["arm"] == arm) & (of_all["kind"] == "missing")]
            adversary.see(parts[-1], missing["count"].iloc[0], of_missing["count"].iloc[0])
        adversary.relate(f"remaining {last} {arm}", *parts)
    for arm in ARMS:
        for place, row in known["combined"].iterrows():
            name, horizon = f"events {row['horizon_days']} {arm}", row["horizon_days"]
            adversary.see(name, row[f"events_{arm}"], secret["combined"].loc[place, f"events_{arm}"])
            adversary.see(f"remaining {last} {arm}", row[f"n_{arm}"], secret["combined"].loc[place, f"n_{arm}"])
            adversary.see(
                f"without {horizon} {arm}", None, secret["combined"].loc[place, f"n_{arm}"] - secret["combined"].loc[place, f"events_{arm}"]
            )
            adversary.relate(f"remaining {last} {arm}", name, f"without {horizon} {arm}")
        for horizon in (*HORIZONS, np.nan):
            same = known["subgroups"]["horizon_days"].eq(horizon) | (known["subgroups"]["horizon_days"].isna() & np.isnan(horizon))
            rows = known["subgroups"][same].drop_duplicates("level")
            for kind, whole in (("n", f"remaining {last} {arm}"), ("events", f"events {horizon} {arm}")):
                parts = [f"{kind} of {level} {'' if kind == 'n' else horizon} {arm}" for level in rows["level"]]
                for part, place in zip(parts, rows.index, strict=True):
                    adversary.see(part, rows.loc[place, f"{kind}_{arm}"], secret["subgroups"].loc[place, f"{kind}_{arm}"])
                adversary.relate(whole, *parts)
        for level in set(known["subgroups"]["level"]):
            if f"sex {level} {arm}" in adversary.bounds:
                adversary.relate(f"n of {level}  {arm}", f"sex {level} {arm}")
    return adversary


def make_site(seed: int, left_out: list[tuple[int, int]]) -> dict[tuple[str, str], pd.DataFrame]:
    patients = simulate(seed)
    subgroups = [combine(patients[patients["sex"] == level]).assign(subgroup="sex", level=level) for level in ("female", "male")]
    return {
        ("real", "attrition"): attrition_of(patients, left_out),
        ("real", "characteristics"): describe_arms(patients, COVARIATES),
        ("real", "concentration"): measure_concentration(patients, COVARIATES, PROTOCOL.outcomes),
        ("real", "combined"): combine(patients),
        ("real", "subgroups"): tables.SUBGROUPS.validate(pd.concat(subgroups, ignore_index=True)[list(tables.SUBGROUPS.columns)]),
        ("real", "curves"): follow(patients),
    }


def pool(seeds: list[int]) -> tuple[dict[str, SiteAnswers], SiteAnswers]:
    """The answers of sites and of their real patients pooled."""
    patients = [simulate(seed) for seed in seeds]
    how = {"primary": PROTOCOL.question.primary}
    exact = [combine(of_site) for of_site in patients]
    real = {f"site {place}": SiteAnswers(table, disclose_combined(table, PROTOCOL.disclosure, **how)) for place, table in enumerate(exact)}
    named = {"way": "individual_real", "sites": ", ".join(real), "left_out": None, "shared": "real patients"}
    pooled = tables.POOLED.validate(combine(pd.concat(patients, ignore_index=True)).assign(**named)[list(tables.POOLED.columns)])
    return real, SiteAnswers(pooled, disclose_pooled(pooled, PROTOCOL.disclosure, real=real, synthetic={}, **how))


def spy_on_pool(real: dict[str, SiteAnswers], pooled: SiteAnswers) -> Adversary:
    """Every site's patients, events and patients without one, and their sums over the sites; which of them are small is known."""
    adversary = Adversary()
    rows = pooled.exact.drop_duplicates("horizon_days")
    for arm, (place, row) in product(ARMS, rows.iterrows()):
        counts = {"n": f"n_{arm}", "events": f"events_{arm}"}
        for site, answers in (real | {"pool": pooled}).items():
            names = {kind: f"{kind} {'' if kind == 'n' else row['horizon_days']} {arm} {site}" for kind in ("n", "events", "without")}
            truth = {kind: int(answers.exact.loc[place, column]) for kind, column in counts.items()}
            truth["without"] = truth["n"] - truth["events"]
            for kind, name in names.items():
                if truth[kind] < MINIMUM:
                    adversary.bounds[name] = (0.0, MINIMUM - 1.0)
                adversary.see(name, answers.shown.loc[place, counts[kind]] if kind in counts else None, truth[kind])
            adversary.relate(names["n"], names["events"], names["without"])
        for kind in ("n ", f"events {row['horizon_days']}"):
            adversary.relate(f"{kind} {arm} pool", *(f"{kind} {arm} {site}" for site in real))
    return adversary


few = st.tuples(st.integers(0, 15), st.integers(0, 15))


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000), left_out=st.lists(few, min_size=1, max_size=3))
def test_no_small_count_is_known_more_closely_than_a_rounding_step(seed: int, left_out: list[tuple[int, int]]) -> None:
    exact = make_site(seed, left_out)
    adversary = spy(exact, disclose_site(exact, PROTOCOL))
    found = adversary.solve()
    assert {name for name, (low, high) in found.items() if not low <= adversary.truth[name] <= high} == set()
    # that nobody left at a step is no fact about anybody: whoever remains meets every criterion
    small = {name for name in found if adversary.truth[name] < MINIMUM and not (name.startswith("gone") and adversary.truth[name] == 0)}
    close = {name: (found[name], adversary.truth[name]) for name in small if found[name][1] - found[name][0] + 1 < STEP}
    assert close == {}


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000))
def test_shown_risks_and_curves_never_differ_by_a_few_events(seed: int) -> None:
    exact = make_site(seed, [(0, 0)])
    shown = disclose_site(exact, PROTOCOL)
    patients = simulate(seed)
    rows = pd.concat([shown["real", "combined"], shown["real", "subgroups"]])
    risks = shown["real", "combined"].query("status == 'ok' and contrast in @RISKS")
    for arm in ARMS:
        days = patients.loc[patients["treated"] == (arm == "treated"), "days"]
        times = {*risks["horizon_days"], *shown["real", "curves"].query("arm == @arm")["time_days"]}
        counts = sorted({int((days <= time).sum()) for time in times})
        assert all(later - earlier >= MINIMUM for earlier, later in pairwise(counts))
    told = rows[rows["estimate"].notna()]
    assert (told["status"] == "ok").all()
    assert told[["n_treated", "n_comparator"]].notna().all().all()
    assert told.loc[told["contrast"].isin(RISKS), ["events_treated", "events_comparator"]].notna().all().all()
    assert not rows["reason"].dropna().str.contains("no events").any()


@settings(deadline=None, max_examples=15)
@given(seeds=st.lists(st.integers(0, 10_000), min_size=2, max_size=4, unique=True))
def test_a_pool_tells_no_sites_small_count_more_closely_than_a_rounding_step(seeds: list[int]) -> None:
    """What is left of a shown pooled estimate without the sites that show theirs: nobody, or several sites with a crowd of events in either arm."""
    real, pooled = pool(seeds)
    adversary = spy_on_pool(real, pooled)
    found = adversary.solve()
    assert {name for name, (low, high) in found.items() if not low <= adversary.truth[name] <= high} == set()
    close = {name: (ends, adversary.truth[name]) for name, ends in found.items() if adversary.truth[name] < MINIMUM and ends[1] - ends[0] + 1 < STEP}
    assert close == {}
    for place in pooled.shown.index[pooled.shown["status"] == "ok"]:
        hiding = [answers.exact.loc[place] for answers in real.values() if answers.shown.loc[place, "status"] == "suppressed"]
        assert len(hiding) != 1
        assert not hiding or all(sum(row[f"events_{arm}"] for row in hiding) >= MINIMUM for arm in ARMS)


def test_without_the_gate_the_adversary_finds_them() -> None:
    exact = make_site(3, [(2, 3)])
    levels = exact["real", "characteristics"].query("kind == 'categorical' and covariate == 'sex' and arm == 'treated'")
    adversary = Adversary()
    adversary.bounds |= {"all": (levels["n"].iloc[0],) * 2, "female": (levels["count"].iloc[0],) * 2}
    adversary.see("male", None, int(levels["count"].iloc[1]))
    adversary.relate("all", "female", "male")
    assert adversary.solve()["male"] == (levels["count"].iloc[1],) * 2
