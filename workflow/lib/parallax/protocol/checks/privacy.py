"""Faults of privacy and disclosure."""

from __future__ import annotations

from collections.abc import Iterator

from parallax.errors import Fault
from parallax.protocol.checks.faults import repeated, unknown
from parallax.protocol.cohort import CohortSection
from parallax.protocol.disclosure import DisclosureSection
from parallax.protocol.outcomes import OutcomesSection
from parallax.protocol.privacy import PrivacySection


def check_privacy(privacy: PrivacySection, cohort: CohortSection, outcomes: OutcomesSection) -> Iterator[Fault]:
    """Quasi-identifiers and sensitive columns exist and differ; shadow models come in pairs."""
    covariates = cohort.covariates
    for column in privacy.quasi_identifiers:
        if column not in covariates.names:
            yield unknown("privacy.quasi_identifiers", column, covariates.names, "covariate")
    for column in privacy.sensitive:
        if column not in (*covariates.names, *outcomes.names):
            yield unknown("privacy.sensitive", column, (*outcomes.names, *covariates.names), "covariate or outcome")
    for key, names in (("quasi_identifiers", privacy.quasi_identifiers), ("sensitive", privacy.sensitive)):
        for column in repeated(names):
            yield Fault(f"privacy.{key}", f'"{column}" more than once', "every column once", "remove the repetition")
    for column in privacy.quasi_identifiers:
        if column in privacy.sensitive:
            found = f'"{column}", which is a quasi-identifier too'
            yield Fault("privacy.sensitive", found, "what an intruder does not know yet", "remove it from one of the two")
    if privacy.shadow_models % 2 or privacy.shadow_models == 2:
        allowed = "0, or an even number of at least 4: every patient is in one half of each pair, and one pair is attacked by the others"
        yield Fault("privacy.shadow_models", str(privacy.shadow_models), allowed, "set it to 8, or to more where a fit is cheap")
    for column in privacy.widths:
        numeric = [name for name in privacy.quasi_identifiers if name in covariates.numeric]
        if column not in numeric:
            yield unknown(f"privacy.widths.{column}", column, numeric, "numeric quasi-identifier")


def check_disclosure(disclosure: DisclosureSection) -> Iterator[Fault]:
    """Two shown counts leave 2·round_to − 1 values for their difference: too few where rounding is finer than this."""
    least = -(-disclosure.minimum_count // 2)
    if disclosure.round_to < least:
        yield Fault(
            "disclosure.round_to",
            f"{disclosure.round_to}, with which the difference of two shown counts tells a count below {disclosure.minimum_count}",
            f"at least half of minimum_count: {least}",
            "raise it, or lower minimum_count",
        )
