"""One look for all figures: readable on paper, in grey and with colour-blind eyes; the same bytes every time."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from parallax.reporting.wording import plain
from parallax.vocabulary import REAL

INK: Final = "#1a1f26"
SOFT: Final = "#5b6470"
FAINT: Final = "#d9dde2"
TINT: Final = "#f3f6f9"
BAND: Final = "#e3e6ea"
#: full width of the report's column, in inches at 96 pixels
WIDTH: Final = 10.4

#: Okabe and Ito's colours, the darker ones first; shape and dashes tell the same in grey
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#aa4499", "#7a5c00", "#3a9bd0")
_MARKERS: Final = ("o", "s", "^", "v", "P", "X")
_DASHES: Final[tuple[tuple[float, ...], ...]] = ((5, 1.6), (1.4, 1.4), (6, 1.5, 1.4, 1.5), (9, 2), (3, 1, 1, 1), (7, 1, 1, 1, 1, 1))

_SETTINGS: Final[dict[Any, Any]] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": "#9aa2ac",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": "#9aa2ac",
    "ytick.color": "#9aa2ac",
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.minor.size": 0,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "svg.fonttype": "none",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "path.simplify": True,
}


@dataclass(frozen=True, slots=True)
class DatasetStyle:
    """How a dataset looks in every figure."""

    label: str
    colour: str
    marker: str
    dashes: tuple[float, ...]
    """On and off in line widths; empty for a solid line."""


#: the floor is no generator: grey, a bar without a mark of its own
FLOOR_STYLE: Final = DatasetStyle("floor", SOFT, "|", ())


def dataset_styles(generators: Sequence[str]) -> dict[str, DatasetStyle]:
    """The real patients in black and solid, the generators in the protocol's order."""
    styles = {REAL: DatasetStyle("real", INK, "D", ())}
    for position, generator in enumerate(generators):
        turn = position % len(_COLOURS)
        styles[generator] = DatasetStyle(plain(generator), _COLOURS[turn], _MARKERS[turn], _DASHES[turn])
    return styles


@contextmanager
def drawing() -> Iterator[None]:
    """Matplotlib's settings while a figure is drawn."""
    with mpl.rc_context(_SETTINGS):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure (inches) that draws SVG only."""
    figure = Figure(figsize=(width, height))
    FigureCanvasSVG(figure)
    return figure


def to_svg(figure: Figure, *, name: str, alt: str) -> str:
    """The figure as an SVG element for HTML (no namespaces), with its alternative text.

    ``name`` salts the ids, so that figures of one page do not meet; ids that nothing refers to are dropped.
    """
    buffer = io.StringIO()
    with mpl.rc_context({**_SETTINGS, "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Type": None, "Format": None})
    text = buffer.getvalue()
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    used = set(re.findall(r"(?:href=\"#|url\(#)([^\")]+)", text))
    text = re.sub(r" id=\"([^\"]+)\"", lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", text)
    text = re.sub(r"(href=\"#|url\(#)", rf"\g<1>{name}-", text)
    text = text.replace("'DejaVu Sans'", "Helvetica,Arial,sans-serif")
    text = re.sub(r"(\d\.\d{3})\d+", r"\1", text)
    box = re.search(r'viewBox="([^"]+)"', text)
    opening = f'<svg role="img" aria-label="{html.escape(alt, quote=True)}" viewBox="{box[1] if box else ""}">'
    body = re.sub(r">\s+<", "><", text[text.index(">") + 1 :])
    return opening + body.strip()


def to_standalone_svg(figure: Figure) -> str:
    """The figure as an SVG file of its own, the same bytes every time."""
    buffer = io.StringIO()
    with mpl.rc_context({**_SETTINGS, "svg.hashsalt": "parallax", "savefig.facecolor": "white"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
