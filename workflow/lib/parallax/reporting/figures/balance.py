"""The love plot: how far apart the arms are in every covariate, before and after each design."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from parallax.reporting import style
from parallax.reporting.wording import plain


@dataclass(frozen=True, slots=True)
class _DesignStyle:
    colour: str
    marker: str
    filled: bool


_STYLES: Final = (
    _DesignStyle("#0072b2", "s", True),
    _DesignStyle("#c77700", "^", True),
    _DesignStyle("#009e73", "v", True),
    _DesignStyle("#aa4499", "P", True),
    _DesignStyle("#56b4e9", "X", True),
    _DesignStyle("#8a6d00", "*", True),
    _DesignStyle("#cc3311", "<", True),
    _DesignStyle("#0072b2", ">", False),
)
_CRUDE: Final = _DesignStyle("#7d8691", "o", False)
_PRIMARY: Final = _DesignStyle(style.INK, "D", True)


def rank_covariates(balance: pd.DataFrame, *, designs: Sequence[str]) -> pd.DataFrame:
    """Absolute SMDs, one row per covariate and level, one column per design, the largest in the first design on top."""
    absolute = balance.assign(smd=balance["smd"].abs(), level=balance["level"].fillna(""))
    wide = absolute.pivot_table(index=["covariate", "level"], columns="design", values="smd").reindex(columns=list(designs)).dropna(how="all")
    return wide.sort_values(designs[0], ascending=False, kind="stable", na_position="last")


def draw_balance(ranked: pd.DataFrame, *, crude: str | None, primary: str, limit: float) -> Figure:
    """One line per covariate and level of :func:`rank_covariates`; the dotted line is the largest imbalance of a balanced design."""
    texts = [covariate + (f": {level}" if level else "") for covariate, level in ranked.index]
    texts = [text if len(text) < 44 else text[:42] + "…" for text in texts]
    top, bottom, row, label = 0.34, 0.42, 0.19, 0.3 + 0.06 * max(map(len, texts))
    height = top + bottom + row * len(ranked)
    with style.drawing():
        figure = style.new_figure(style.WIDTH, height)
        axes = figure.add_axes((label / style.WIDTH, bottom / height, 1 - (label + 0.1) / style.WIDTH, row * len(ranked) / height))
        others = iter(_STYLES * len(ranked.columns))
        for y in range(0, len(ranked), 2):
            axes.axhspan(y - 0.5, y + 0.5, color=style.TINT, lw=0, zorder=0)
        axes.axvline(limit, color=style.SOFT, lw=0.9, ls=(0, (2, 2)), zorder=1)
        for design in ranked.columns:
            look = _CRUDE if design == crude else _PRIMARY if design == primary else next(others)
            axes.plot(
                ranked[design], range(len(ranked)), look.marker, color=look.colour, mfc=look.colour if look.filled else "white",
                ms=5, mew=1.0, lw=0, label=plain(design), zorder=4 if design == primary else 3, clip_on=False,
            )  # fmt: skip
        axes.set_yticks(range(len(ranked)), texts, fontsize=8)
        axes.tick_params(axis="y", length=0, pad=9)
        axes.set_ylim(len(ranked) - 0.5, -0.5)
        axes.set_xlim(0, max(1.04 * float(ranked.max().max()), 1.5 * limit))
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("absolute standardised mean difference")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(ranked.columns), fontsize=8.5, borderpad=0.2, handletextpad=0.1)
    return figure
