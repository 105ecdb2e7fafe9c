"""Plausible exact tables of a study that was never run, for the tests of disclosure and of the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from parallax import tables
from parallax.disclosure.cohort import disclose_attrition, disclose_characteristics
from parallax.disclosure.combined import disclose_combined, disclose_enrichment, disclose_subgroups
from parallax.disclosure.curves import curve_grid, disclose_curves, disclose_hazard_course
from parallax.disclosure.designs import disclose_balance, disclose_calibration, disclose_overlap, disclose_positivity, disclose_score_histogram
from parallax.protocol.outcomes import asked_of
from parallax.protocol.protocol import Protocol
from parallax.reporting.inputs import ReportInputs, SiteTables
from parallax.validation.against_floor import read_against_floor
from parallax.validation.agreement import measure_agreement
from parallax.validation.floor import shift_floor
from parallax.validation.metrics import NOT_INFORMATIVE, metric_row
from parallax.validation.verdict import reach_verdict
from parallax.vocabulary import RATIO_CONTRASTS
from validation_tables import harmless_privacy

RHC = Path(__file__).parents[1] / "config" / "studies" / "rhc.yaml"

#: log hazard ratio by which a generator misses the real one
BIAS = {"real": 0.0, "sequential": -0.02, "gaussian_copula": -0.14, "tvae": 0.45}

#: of each contrast: its size per log hazard ratio, and its standard error
EFFECTS = {
    "hazard_ratio": (1.0, 0.054),
    "interval_hazard_ratio": (1.0, 0.08),
    "hazard_ratio_trend": (-0.7, 0.05),
    "log_rank": (1.0, 0.054),
    "risk_difference": (0.27, 0.0151),
    "risk_ratio": (0.7, 0.035),
    "rmst_difference": (-5.8, 0.317),
}

#: names of subgroups and of their levels
SUBGROUPS = {"sex": ("women", "men"), "age": ("under_50", "from_50_to_70", "over_70")}

#: why nothing could be estimated
FEW = "synthesis.enrichment[1].keep: found fewer than 10 real patients in the treated arm"
CONTROLS = "over 6 negative controls"
SEPARATED = "the propensity score is separated in 4 of 10 replicates"


def simulated_protocol() -> Protocol:
    """The study of right heart catheters, asked everything that a survival outcome can be asked."""
    plain = yaml.safe_load(RHC.read_text(encoding="utf-8"))
    plain["outcomes"]["death"]["contrasts"] = list(EFFECTS)
    plain["question"]["secondary"] = [{"outcome": "death", "contrast": "risk_difference", "design": "overlap", "horizon_days": 180}]
    plain["subgroups"] = {name: dict.fromkeys(levels, "num_age >= 18") for name, levels in SUBGROUPS.items()}
    plain["robustness"] = {"permutations": 200}
    plain["synthesis"]["enrichment"] = [
        {"name": "metastatic", "keep": "fac_ca = 'Metastatic'", "patients": 2000},
        {"name": "centenarians", "keep": "num_age >= 100", "patients": 500},
    ]
    return Protocol.model_validate(plain)


def simulated_attrition() -> pd.DataFrame:
    return tables.ATTRITION.validate(
        pd.DataFrame(
            [
                (0, "source", "all patients of the source", 0, 2187, 3558),
                (1, "adults", "the trial that this study emulates would enrol adults", 7, 2186, 3552),
                (2, "known_follow_up", "follow-up must be known and above zero", 3, 2184, 3551),
            ],
            columns=list(tables.ATTRITION.columns),
        )
    )


def simulated_characteristics(protocol: Protocol) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = {"treated": 2184, "comparator": 3551}
    rows = []
    for position, name in enumerate(protocol.cohort.covariates.numeric):
        mean, shift = rng.uniform(1, 100), rng.normal(0, 0.2)
        means = {"treated": mean * (1 + 0.3 * shift), "comparator": mean}
        rows += [(name, None, "numeric", arm, n[arm], pd.NA, means[arm], 0.3 * mean, shift) for arm in tables.ARMS]
        if position in (2, 21):
            rows += [(name, None, "missing", arm, n[arm], round(0.6 * n[arm]), np.nan, np.nan, 0.05) for arm in tables.ARMS]
    for position, name in enumerate(protocol.cohort.covariates.categorical):
        levels = ["No", "Yes"] if position > 4 else [f"level {letter}" for letter in "ABCDEF"[: 2 + position]]
        shares = rng.dirichlet(np.full(len(levels), 2.0))
        if position == 19:
            shares = np.array([0.9985, 0.0015])
        smds = rng.normal(0, 0.15, len(levels))
        for arm in tables.ARMS:
            counts = rng.multinomial(n[arm], shares)
            rows += [
                (name, level, "categorical", arm, n[arm], count, count / n[arm], np.nan, smd)
                for level, count, smd in zip(levels, counts, smds, strict=True)
            ]
    return tables.CHARACTERISTICS.validate(pd.DataFrame(rows, columns=list(tables.CHARACTERISTICS.columns)))


def simulated_balance(protocol: Protocol, characteristics: pd.DataFrame, dataset: str) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    shrink = {"crude": 1.0, "matched": 0.15, "iptw": 0.12, "att": 0.2, "overlap": 0.0}
    pairs = characteristics.drop_duplicates(["covariate", "level", "kind"])
    rows = []
    for replicate in range(1 if dataset == "real" else 2):
        for design in protocol.designs.root:
            for row in pairs.to_dict("records"):
                level = "(missing)" if row["kind"] == "missing" else row["level"]
                smd = row["smd"] * shrink.get(design, 0.1) * rng.uniform(0.5, 1.2) + rng.normal(0, 1e-4)
                rows.append((replicate, design, row["covariate"], level, smd, np.nan, abs(smd) / 3))
    return tables.BALANCE.validate(pd.DataFrame(rows, columns=list(tables.BALANCE.columns)))


def simulated_overlap(protocol: Protocol, dataset: str) -> pd.DataFrame:
    estimands = {"crude": "unadjusted", "matched": "ATT among the matched", "iptw": "ATE", "att": "ATT", "overlap": "ATO"}
    largest = {"crude": 0.5, "matched": 0.06, "iptw": 0.07, "att": 0.12, "overlap": 0.0}
    c = {"real": 0.81, "sequential": 0.80, "gaussian_copula": 0.66, "tvae": 0.95}[dataset]
    patients = {"matched": (1673, 1673)}
    effective = {"crude": (2184.0, 3551.0)}
    rows = [
        (
            *(
                replicate,
                design,
                estimands.get(design, "ATE"),
                *patients.get(design, (2184, 3551)),
                *effective.get(design, (1500.0, 2400.0)),
                c,
                0.61,
            ),
            *(18.13 if design == "iptw" else 1.0, 0.04, largest.get(design, 0.0), 0),
            *(None if largest.get(design, 0.0) <= 0.1 else f"not balanced: largest SMD {largest[design]:.2f}, allowed is 0.1", "ok", None),
        )
        for replicate in range(1 if dataset == "real" else 10)
        for design in protocol.designs.root
    ]
    return tables.OVERLAP.validate(pd.DataFrame(rows, columns=list(tables.OVERLAP.columns)))


def simulated_score_histogram(dataset: str) -> pd.DataFrame:
    spread = {"real": 1.0, "sequential": 1.05, "gaussian_copula": 2.2, "tvae": 0.5}[dataset]
    edges = np.linspace(0, 1, 21)
    rows = []
    for replicate in range(1 if dataset == "real" else 10):
        rng = np.random.default_rng(30 + replicate)
        for arm, n, centre in (("treated", 2184, 3.0), ("comparator", 3551, 1.6)):
            counts = np.histogram(rng.beta(centre * spread, (4.8 - centre) * spread, n), edges)[0]
            rows += [(replicate, "main", arm, low, high, count) for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)]
    return tables.SCORE_HISTOGRAM.validate(pd.DataFrame(rows, columns=list(tables.SCORE_HISTOGRAM.columns)))


def simulated_calibration(dataset: str) -> pd.DataFrame:
    tenth = np.arange(10)
    rows = [
        {"replicate": replicate, "score": "main", "bin": tenth, "predicted": (tenth + 0.5) / 10, "observed": (tenth + 0.8) / 10.6, "count": 573}
        for replicate in range(1 if dataset == "real" else 10)
    ]
    return tables.CALIBRATION.validate(pd.concat([pd.DataFrame(row) for row in rows], ignore_index=True))


def simulated_positivity() -> pd.DataFrame:
    strata = {"covariate": ["fac_ca", "fac_cat1"], "level": ["metastatic", "colon cancer"], "n": [384, 120], "n_treated": [140, 3]}
    return tables.POSITIVITY.validate(pd.DataFrame({"replicate": 0, **strata}))


def simulated_curves(protocol: Protocol, dataset: str) -> pd.DataFrame:
    """Exponential-like survival with a steep start, one row per day."""
    parts = []
    days = np.arange(0.0, 400.0)
    for replicate in range(1 if dataset == "real" else 10):
        rng = np.random.default_rng(40 + replicate)
        for design in protocol.designs.root:
            for arm, n in (("treated", 2184), ("comparator", 3551)):
                log_hr = (0.27 if design == "crude" else 0.16) * (arm == "treated") + BIAS[dataset] * (1 if arm == "treated" else -0.3)
                hazard = np.exp(log_hr + rng.normal(0, 0.02 if dataset != "real" else 0)) * 0.062 * (1 + days) ** 0.55
                survival = np.exp(-hazard)
                error = 1.96 * np.sqrt(survival * (1 - survival) / n)
                parts.append(
                    pd.DataFrame(
                        {
                            "replicate": replicate, "design": design, "outcome": "death", "arm": arm, "time_days": days, "survival": survival,
                            "lower": survival - error, "upper": np.minimum(survival + error, 1), "at_risk": np.append(n, n * survival[:-1]),
                        }
                    )
                )  # fmt: skip
    return tables.CURVES.validate(pd.concat(parts, ignore_index=True))


def _combined_rows(asked: Iterable[tuple[str, str, float | None]], truth: Mapping[str, float], dataset: str) -> list[dict[str, object]]:
    """Rows of COMBINED for (outcome, contrast, horizon) under each design, whose log hazard ratio ``truth`` tells."""
    rng = np.random.default_rng(7 + len(dataset))
    events = {30.0: (830, 1088), 180.0: (1200, 1740), None: (1486, 2236)}
    rows: list[dict[str, object]] = []
    for design, effect in truth.items():
        for outcome, contrast, horizon in asked:
            factor, error = (-48.0, 2.49) if (contrast, horizon) == ("rmst_difference", 180.0) else EFFECTS[contrast]
            ratio = contrast in RATIO_CONTRASTS
            bias = BIAS[dataset] * (0.3 if design == "crude" else 1)
            centre = factor * (effect - 0.02 * (horizon == 180) - 0.1 * (horizon is None) + bias) + rng.normal(0, 0.15 * error)
            family = design == "overlap" and (contrast, horizon) in (("hazard_ratio", 30.0), ("risk_difference", 180.0))
            for rule in ("none",) if dataset == "real" else ("partial", "naive", "stacked"):
                se = error * {"none": 1, "partial": 1.08, "naive": 1.0, "stacked": 0.32}[rule]
                middle = centre + (rng.normal(0, 0.6 * error) if rule == "naive" else 0)
                estimate, lower, upper = (np.exp(end) if ratio else end for end in (middle, middle - 1.96 * se, middle + 1.96 * se))
                row: dict[str, object] = {
                    "design": design, "outcome": outcome, "contrast": contrast, "horizon_days": np.nan if horizon is None else horizon,
                    "rule": rule, "estimate": estimate, "std_error": se, "lower": lower, "upper": upper, "p_value": 0.003,
                    "p_adjusted": 0.006 if family and rule in ("none", "partial") else np.nan,
                    "df": 30.0, "replicates": 1 if rule in ("none", "naive") else 10, "not_estimable": 0,
                    "n_treated": 1673 if design == "matched" else 2184, "n_comparator": 1673 if design == "matched" else 3551,
                    "events_treated": events[horizon][0], "events_comparator": events[horizon][1],
                    "effective_estimand": {"overlap": "ATO", "iptw": "ATE", "crude": "unadjusted"}.get(design, "ATT"),
                    "variance_method": "robust, weights as known", "status": "ok", "reason": None,
                }  # fmt: skip
                if dataset == "tvae" and design == "matched":
                    row |= dict.fromkeys(("estimate", "std_error", "lower", "upper", "p_value", "p_adjusted", "df"), np.nan)
                    row |= {"replicates": 0, "variance_method": "none", "status": "not_estimable", "reason": SEPARATED}
                rows.append(row)
    return rows


def simulated_combined(protocol: Protocol, dataset: str) -> pd.DataFrame:
    truth = {"crude": 0.267, "matched": 0.2, "iptw": 0.134, "att": 0.127, "overlap": 0.161}
    asked = [(name, contrast, horizon) for name, outcome in protocol.outcomes.items() for contrast, horizon in asked_of(outcome)]
    return tables.COMBINED.validate(pd.DataFrame(_combined_rows(asked, truth, dataset), columns=list(tables.COMBINED.columns)))


def simulated_subgroups(protocol: Protocol, dataset: str) -> pd.DataFrame:
    primary, rows = protocol.question.primary, []
    asked = [(primary.outcome, contrast, primary.horizon_days) for contrast in ("hazard_ratio", "risk_difference", "rmst_difference")]
    for subgroup, levels in SUBGROUPS.items():
        for position, level in enumerate(levels):
            for row in _combined_rows(asked, {primary.design: 0.16 + 0.08 * position}, dataset):
                few = {"events_treated": 6.0} if level == "under_50" else {}
                rows.append({"subgroup": subgroup, "level": level} | row | few | {"p_adjusted": np.nan})
    return tables.SUBGROUPS.validate(pd.DataFrame(rows, columns=list(tables.SUBGROUPS.columns)))


def simulated_enrichment(protocol: Protocol, dataset: str) -> pd.DataFrame:
    primary, rows = protocol.question.primary, []
    inside = {"n_treated": 120.0, "n_comparator": 264.0, "events_treated": 80.0, "events_comparator": 130.0}
    drawn = {"n_treated": 640.0, "n_comparator": 1360.0, "events_treated": 400.0, "events_comparator": 700.0}
    asked = [(primary.outcome, primary.contrast, primary.horizon_days)]
    few = dict.fromkeys(("estimate", "std_error", "lower", "upper", "p_value", *inside), np.nan) | {"status": "not_estimable", "reason": FEW}
    for row in _combined_rows(asked, {"crude": 0.3, primary.design: 0.2}, dataset):
        if row["rule"] != "stacked":
            shift = {"shift_in_real_se": BIAS[dataset] / 0.054 if row["rule"] == "partial" else np.nan, "p_adjusted": np.nan}
            rows.append({"enrichment": "metastatic"} | row | (inside if dataset == "real" else drawn) | shift)
        if row["rule"] in ("none", "partial"):
            rows.append({"enrichment": "centenarians"} | row | few | {"p_adjusted": np.nan, "shift_in_real_se": np.nan})
    return tables.ENRICHMENT.validate(pd.DataFrame(rows, columns=list(tables.ENRICHMENT.columns)))


def simulated_interactions(subgroups: pd.DataFrame) -> pd.DataFrame:
    keys = ["subgroup", "design", "outcome", "contrast", "horizon_days", "rule"]
    found = subgroups[keys].drop_duplicates().assign(statistic=2.4, df=1.0, p_value=0.12, reason=None)
    unknown = (found["subgroup"] == "age") & (found["contrast"] == "risk_difference")
    found.loc[unknown, ["statistic", "df", "p_value"]] = np.nan
    found.loc[unknown, "reason"] = "the effect in under_50 is not estimable"
    return tables.INTERACTIONS.validate(found[list(tables.INTERACTIONS.columns)])


def simulated_robustness(protocol: Protocol, combined: pd.DataFrame, dataset: str) -> pd.DataFrame:
    primary, target = protocol.question.primary, ["design", "outcome", "contrast", "horizon_days"]
    valid = combined[combined["rule"].isin(["none", "partial"]) & (combined["status"] == "ok") & (combined["contrast"] == "hazard_ratio")]
    missing = {"value": np.nan, "lower": np.nan, "upper": np.nan, "p_value": np.nan, "reason": None}
    rows = []
    for row in valid[[*target, "estimate"]].to_dict("records"):
        named = {name: row[name] for name in target} | missing
        rows += [
            named | {"measure": "e_value", "value": 1.45, "lower": 1.2},
            named | {"measure": "systematic_error", "value": 0.05},
            named | {"measure": "systematic_error_mean", "value": 0.03 + BIAS[dataset], "lower": -0.02, "upper": 0.08, "reason": CONTROLS},
            named | {"measure": "systematic_error_sd", "value": 0.04, "lower": 0.0, "upper": 0.12, "reason": CONTROLS},
            named
            | {"measure": "calibrated", "value": row["estimate"], "lower": 0.9 * row["estimate"], "upper": 1.1 * row["estimate"], "p_value": 0.04},
        ]
        if dataset != "real":
            rows += [
                named
                | {
                    "measure": "added_error_mean",
                    "value": BIAS[dataset],
                    "lower": BIAS[dataset] - 0.04,
                    "upper": BIAS[dataset] + 0.04,
                    "reason": CONTROLS,
                },
                named | {"measure": "added_error_sd", "value": 0.0, "reason": CONTROLS},
                named | {"measure": "calibrated_shift", "value": 0.1},
            ]
    if dataset == "real":
        named = dict(zip(target, primary.target, strict=True)) | missing
        rows += [
            named | {"measure": "permuted_estimate", "value": 1.001, "lower": 0.91, "upper": 1.1, "p_value": 0.005},
            named | {"measure": "permuted_rejections", "value": 0.05, "lower": 0.028, "upper": 0.09},
        ]
    return tables.ROBUSTNESS.validate(pd.DataFrame(rows, columns=list(tables.ROBUSTNESS.columns)))


def simulated_hazard_course(protocol: Protocol, dataset: str) -> pd.DataFrame:
    days = np.arange(3.0, 181.0, 3.0)
    parts = []
    for replicate in range(1 if dataset == "real" else 10):
        noise = np.random.default_rng(60 + replicate).normal(0, 0.02)
        course = 0.3 * np.exp(-days / 40) + 0.05 + BIAS[dataset] + noise
        for design in protocol.designs.root:
            rows = {"replicate": replicate, "design": design, "outcome": "death", "time_days": days, "log_hazard_ratio": course}
            parts.append(pd.DataFrame(rows | {"lower": course - 0.15, "upper": course + 0.15}))
    return tables.HAZARD_COURSE.validate(pd.concat(parts, ignore_index=True))


def simulated_fidelity(protocol: Protocol, dataset: str) -> pd.DataFrame:
    rng = np.random.default_rng(11)
    gates = protocol.validation.gates
    size = abs(BIAS[dataset])
    rows = [
        {"variable": None} | metric_row("propensity_c_gap", -size, threshold=gates.propensity_c_gap),
        *({"variable": f"death/{arm}"} | metric_row("km_gap", size / 3 + 0.006, threshold=gates.km_gap) for arm in tables.ARMS),
        *({"variable": f"death/{arm}"} | metric_row("km_half_split_band", 0.021) for arm in tables.ARMS),
        *({"variable": f"death/{arm}"} | metric_row("censoring_km_gap", 0.011) for arm in tables.ARMS),
        *({"variable": name} | metric_row("marginal_ks", rng.uniform(0, 0.08)) for name in protocol.cohort.covariates.numeric),
        *({"variable": name} | metric_row("marginal_tv", rng.uniform(0, 0.05)) for name in protocol.cohort.covariates.categorical),
        {"variable": None} | metric_row("sdmetrics_quality", 0.94),
        {"variable": None} | metric_row("floor_propensity_c_gap", 0.007),
        *({"variable": f"death/{arm}"} | metric_row("floor_km_gap", 0.005) for arm in tables.ARMS),
        *({"variable": f"death/{arm}"} | metric_row("floor_censoring_km_gap", 0.004) for arm in tables.ARMS),
    ]
    return tables.FIDELITY.validate(pd.DataFrame(rows, columns=list(tables.FIDELITY.columns)))


def simulated_floor(real: pd.DataFrame) -> pd.DataFrame:
    """Ten resampled cohorts whose estimates scatter by one standard error; matched ones are moved by one and a half."""
    noise = np.random.default_rng(12).normal(0, 1, (10, 1))
    moved = (noise - noise.mean() + np.where(real["design"] == "matched", 1.5, 0.1)) * real["std_error"].to_numpy()
    ratio = real["contrast"].isin(RATIO_CONTRASTS).to_numpy()
    columns = list(tables.ESTIMATES.columns)
    estimates = [np.where(ratio, real["estimate"] * np.exp(move), real["estimate"] + move) for move in moved]
    replicates = [real.assign(replicate=number, estimate=estimate)[columns] for number, estimate in enumerate(estimates)]
    return tables.ESTIMATES.validate(pd.concat(replicates, ignore_index=True))


def simulated_privacy(protocol: Protocol, dataset: str) -> pd.DataFrame:
    gates = protocol.validation.gates
    auc = 0.51 if dataset != "tvae" else 0.55
    rows = harmless_privacy(
        gates,
        excess_copies={"value": 0.0, "upper": 0.0008},
        membership_auc={"value": auc, "lower": auc - 0.02, "upper": auc + 0.02},
        linkability={"value": 0.0, "upper": 0.001, "undecided": True, "reason": f"{NOT_INFORMATIVE}the attack does no better than guessing"},
    )
    rows += [
        metric_row("copies_of_train", 0.0),
        metric_row("copies_of_hold_out", 0.0),
        metric_row("membership_tpr_at_01pct_fpr", 0.002, lower=0.0, upper=0.005),
        metric_row("k_anonymity", 1.0),
        metric_row("closest_to_train", 0.513, lower=0.492, upper=0.534),
    ]
    return tables.PRIVACY.validate(pd.DataFrame(rows, columns=list(tables.PRIVACY.columns)))


def simulated_site(protocol: Protocol, *, crashed: tuple[str, ...] = ()) -> tuple[SiteTables, dict[str, object]]:
    """The shown tables of a site and its verdicts by generator."""
    disclosure = protocol.disclosure
    generators = [name for name in protocol.generators if name not in crashed]
    datasets = ["real", *generators]
    characteristics = simulated_characteristics(protocol)
    shown = disclose_characteristics(characteristics, disclosure)
    combined = {name: simulated_combined(protocol, name) for name in datasets}
    grids = {outcome: curve_grid(section.horizons_days) for outcome, section in protocol.outcomes.survival.items()}
    curves = {name: disclose_curves(simulated_curves(protocol, name), disclosure, grids=grids) for name in datasets}
    subgroups = {name: simulated_subgroups(protocol, name) for name in datasets}
    gates = protocol.validation.gates
    compared = {
        "floor": shift_floor(combined["real"], simulated_floor(combined["real"]), replicates=10),
        "primary": protocol.question.primary,
        "gates": gates,
    }
    reading = {"real_overlap": simulated_overlap(protocol, "real"), "designs": protocol.designs}
    agreement = {name: read_against_floor(measure_agreement(combined["real"], combined[name], **compared), **reading) for name in generators}
    fidelity = {name: simulated_fidelity(protocol, name) for name in generators}
    privacy = {name: simulated_privacy(protocol, name) for name in generators}
    stages = ("fit", "draw", "refit")
    generation = tables.GENERATION.validate(
        pd.DataFrame(
            [(name, stage, "ok", None) for name in generators for stage in stages]
            + [(name, "fit", "failed", "ValueError in SDV: the loss became infinite") for name in crashed],
            columns=list(tables.GENERATION.columns),
        )
    )
    empty = {schema: pd.DataFrame(columns=list(getattr(tables, schema).columns)) for schema in ("AGREEMENT", "FIDELITY", "PRIVACY")}
    verdicts: dict[str, object] = {
        name: reach_verdict(
            name,
            agreement=agreement.get(name, empty["AGREEMENT"]),
            fidelity=fidelity.get(name, empty["FIDELITY"]),
            privacy=privacy.get(name, empty["PRIVACY"]),
            generation=generation,
            gates=gates,
            certified=False,
        ).plain()
        for name in protocol.generators
    }
    site = SiteTables(
        attrition=disclose_attrition(simulated_attrition(), disclosure),
        characteristics=shown,
        score_histograms={name: disclose_score_histogram(simulated_score_histogram(name), disclosure) for name in datasets},
        calibration={name: disclose_calibration(simulated_calibration(name), disclosure) for name in datasets},
        positivity={name: disclose_positivity(simulated_positivity(), disclosure) for name in datasets},
        balance={name: disclose_balance(simulated_balance(protocol, characteristics, name), disclosure, characteristics=shown) for name in datasets},
        overlap={name: disclose_overlap(simulated_overlap(protocol, name), disclosure) for name in datasets},
        curves=curves,
        combined={name: disclose_combined(frame, disclosure) for name, frame in combined.items()},
        agreement=agreement,
        fidelity=fidelity,
        privacy=privacy,
        subgroups={name: disclose_subgroups(frame, disclosure) for name, frame in subgroups.items()},
        interactions={name: simulated_interactions(frame) for name, frame in subgroups.items()},
        robustness={name: simulated_robustness(protocol, frame, name) for name, frame in combined.items()},
        hazard_course={
            name: disclose_hazard_course(simulated_hazard_course(protocol, name), disclosure, curves=curves[name], grids=grids) for name in datasets
        },
        enrichment={name: disclose_enrichment(simulated_enrichment(protocol, name), disclosure, whole=combined["real"]) for name in datasets},
        generation=generation,
    )
    return site, verdicts


def simulated_inputs(*, sites: Mapping[str, tuple[str, ...]] | None = None) -> ReportInputs:
    """The inputs of a report; ``sites`` names the crashed generators of each site."""
    protocol = simulated_protocol()
    made = {site: simulated_site(protocol, crashed=crashed) for site, crashed in (sites or {"support": ()}).items()}
    verdict = {
        "study": protocol.study.name, "protocol_digest": protocol.digest, "certified": False,
        "registration": {"attempt": 1, "before_effects": True, "changed": []},
        "sites": {site: verdicts for site, (_, verdicts) in made.items()},
    }  # fmt: skip
    provenance = {"commit": "0123abc", "python": "3.11.2", "versions": {"numpy": "2.4.6", "pandas": "2.3.3"}, "seeds": {"study": 20260101}}
    return ReportInputs(protocol=protocol, sites={site: tables_ for site, (tables_, _) in made.items()}, verdict=verdict, provenance=provenance)
