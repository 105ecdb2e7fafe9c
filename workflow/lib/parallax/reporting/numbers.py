"""Numbers as a reader sees them: two or three significant digits, a true minus sign, units said."""

from __future__ import annotations

import math
from typing import Final

MINUS: Final = "−"
NOT_AVAILABLE: Final = "–"


def format_number(value: float | None, *, decimals: int | None = None) -> str:
    """``decimals`` digits after the point, or three significant digits; ``–`` where there is no number."""
    if value is None or not math.isfinite(value):
        return NOT_AVAILABLE
    if decimals is None:
        decimals = 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
        if decimals > 5:
            return f"{MINUS if value < 0 else ''}{abs(value):.1e}"
    text = f"{abs(value):.{decimals}f}"
    return f"{MINUS}{text}" if value < 0 and float(text) != 0 else text


def format_interval(lower: float | None, upper: float | None, *, decimals: int | None = None) -> str:
    """``1.06–1.31``, with ``to`` where an end is negative; empty where there is no interval."""
    if lower is None or upper is None or not (math.isfinite(lower) and math.isfinite(upper)):
        return ""
    joint = " to " if min(lower, upper) < 0 else "–"
    return f"{format_number(lower, decimals=decimals)}{joint}{format_number(upper, decimals=decimals)}"


def format_estimate(value: float | None, lower: float | None, upper: float | None, *, decimals: int | None = None) -> str:
    """``1.18 (1.06–1.31)``."""
    interval = format_interval(lower, upper, decimals=decimals)
    return f"{format_number(value, decimals=decimals)} ({interval})" if interval else format_number(value, decimals=decimals)


def format_signed(value: float | None, *, decimals: int) -> str:
    """A shift: ``+0.42`` or ``−0.42``."""
    text = format_number(value, decimals=decimals)
    return f"+{text}" if value is not None and math.isfinite(value) and value > 0 and float(text) != 0 else text


def format_count(count: float | None, *, minimum: int) -> str:
    """A shown count with a comma at the thousands, ``<10`` where it is suppressed."""
    return f"<{minimum}" if count is None or math.isnan(count) else f"{int(count):,}"


def format_share(share: float | None) -> str:
    """A share as a percentage of two or three digits."""
    if share is None or not math.isfinite(share):
        return NOT_AVAILABLE
    return f"{100 * share:.1f}%" if share < 0.9995 else "100%"


def format_days(days: float) -> str:
    """``30`` or ``365.25``."""
    return f"{days:g}"


def spell(number: int) -> str:
    """Small numbers as words."""
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return words[number] if 0 <= number < len(words) else f"{number:,}"
