"""Intervals and p-values whose quantiles have closed forms."""

from __future__ import annotations

from math import inf, isnan, nan, pi, sqrt, tan

import pytest

from parallax.errors import StatisticsError
from parallax.statistics.intervals import normal_interval, normal_p_value, t_interval, t_p_value


def test_normal() -> None:
    # the 0.975 quantile of tables
    assert normal_interval(1.0, 2.0) == pytest.approx((1 - 2 * 1.959963984540054, 1 + 2 * 1.959963984540054))
    assert normal_p_value(-1.959963984540054, 1.0) == pytest.approx(0.05)
    assert normal_p_value(0.0, 1.0) == 1


def test_one_degree_of_freedom_is_cauchy() -> None:
    assert t_interval(0.0, 1.0, 1.0) == pytest.approx((-tan(0.475 * pi), tan(0.475 * pi)))
    assert t_p_value(3.0, 3.0, 1.0) == pytest.approx(1 / 2)


def test_two_degrees_of_freedom() -> None:
    # the distribution function is 1/2 + t / (2√(2 + t²))
    assert t_p_value(1.0, 1.0, 2.0) == pytest.approx(1 - 1 / sqrt(3))
    assert t_interval(0.0, 1.0, 2.0, level=1 / sqrt(3))[1] == pytest.approx(1)


def test_infinite_degrees_of_freedom_are_normal() -> None:
    assert t_interval(1.0, 2.0, inf) == normal_interval(1.0, 2.0)
    assert t_p_value(1.0, 2.0, inf) == normal_p_value(1.0, 2.0)


def test_degenerate() -> None:
    assert normal_interval(1.0, 0.0) == (1, 1)
    assert isnan(normal_p_value(1.0, 0.0))
    assert isnan(t_interval(nan, 1.0, 3.0)[0])
    assert isnan(t_p_value(1.0, nan, 3.0))
    assert isnan(t_interval(1.0, 1.0, nan)[1])


@pytest.mark.parametrize(("std_error", "df", "level", "where"), [(-1.0, 1.0, 0.95, "std_error"), (1.0, 0.0, 0.95, "df"), (1.0, 1.0, 1.0, "level")])
def test_outside_the_domain(std_error: float, df: float, level: float, where: str) -> None:
    with pytest.raises(StatisticsError, match=where):
        t_interval(0.0, std_error, df, level=level)
