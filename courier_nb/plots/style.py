"""The one style of all pictures, applied to ours only.

The picture has a light ground of its own, so that it reads the same in a light notebook, in a dark one and on a page that shows
the saved notebook. Nothing is told by colour alone: numbers stand at the bars, and what has run out is hatched and named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from courier_nb.core.printable import plain

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer

GROUND = "#fbfaf7"
INK = "#2b2f36"
QUIET = "#5c636e"
BAR = "#2f6f9f"
ENDED = "#d9822b"
"""Told apart from `BAR` by people who see no red or no green, and in grey; hatched besides."""

HATCH = "///"
_LINE = "#c9c6bd"
_FEWEST_COLUMNS, _FEWEST_ROWS = 7, 3
"""Bars for which there is room at least."""
_FIGURE = (7.0, 3.6)  # inches: the width of a notebook's column at the usual 100 dots an inch

_OURS: dict[str, Any] = {
    "figure.facecolor": GROUND,
    "savefig.facecolor": "auto",
    "axes.facecolor": GROUND,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": _LINE,
    "font.family": ["sans-serif"],
    "font.size": 10,
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
}
_CALENDAR = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
_NO_MARKUP: dict[str, Any] = {"parse_math": False, "usetex": False}
"""A text of a message is no formula: ``$`` stands for itself."""


@contextmanager
def canvas(ax: Axes | None) -> Iterator[Axes]:
    """Give the Axes to draw on: those of the user as they are, or new ones in our style.

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        import matplotlib.style
    except ImportError:
        raise ImportError('Plots need matplotlib: install it with pip install "courier-nb[lab]".', name="matplotlib") from None
    if ax is not None:
        with mpl.rc_context({"text.usetex": False}):
            yield ax
        return
    from matplotlib import pyplot

    with matplotlib.style.context(["default", _OURS]):
        _, ax = pyplot.subplots(figsize=_FIGURE)
        yield ax


def name(ax: Axes, title: str, *, x: str, y: str, notes: Sequence[str] = ()) -> None:
    """Write title, axes, and below them what is missing or cut."""
    ax.set_title(plain(title), loc="left", fontsize=11, fontweight="bold", **_NO_MARKUP)
    ax.set_xlabel("\n".join(plain(line) for line in (x, *notes)), loc="left", **_NO_MARKUP)
    ax.set_ylabel(plain(y), **_NO_MARKUP)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.set_axisbelow(True)


def columns(ax: Axes, labels: Sequence[str], counts: Sequence[int], *, ended: int = 0) -> None:
    """Draw one upright bar a label of ours, its number above it; the first `ended` ones are of what has run out."""
    bars = ax.bar(range(len(counts)), counts, width=0.8, color=BAR)
    _mark(bars, ended)
    ax.bar_label(bars, labels=[f"{count:,}" if count else "" for count in counts], padding=2, fontsize=9)
    ax.set_xticks(range(len(labels)), labels, fontsize=8.5)
    _whole_numbers(ax.yaxis)
    ax.grid(visible=True, axis="y", linewidth=0.8, alpha=0.6)
    ax.set_xlim(*_span(len(counts), _FEWEST_COLUMNS))
    ax.margins(y=0.12)


def rows(ax: Axes, labels: Sequence[str], counts: Sequence[int]) -> None:
    """Draw one lying bar a label of whatever text, the first on top, its number beside it."""
    bars = ax.barh(range(len(counts)), counts, height=0.75, color=BAR)
    ax.bar_label(bars, labels=[f"{count:,}" for count in counts], padding=3, fontsize=9)
    ax.set_yticks(range(len(labels)), [plain(label) for label in labels], **_NO_MARKUP)
    ax.set_ylim(*reversed(_span(len(counts), _FEWEST_ROWS)))
    _whole_numbers(ax.xaxis)
    ax.grid(visible=True, axis="x", linewidth=0.8, alpha=0.6)
    ax.margins(x=0.1)


def give_height(ax: Axes, bars: int) -> None:
    """Let a figure of our own be as high as its lying bars need."""
    figure = ax.get_figure(root=True)
    if figure is not None:
        figure.set_size_inches(_FIGURE[0], max(2.4, 1.4 + 0.28 * bars))


def nothing(ax: Axes, title: str, why: str, *, notes: Sequence[str] = ()) -> None:
    """Say that there is nothing to draw."""
    name(ax, title, x="", y="", notes=notes)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.text(0.5, 0.5, plain(why), transform=ax.transAxes, ha="center", va="center", **_NO_MARKUP)


def over_time(ax: Axes, starts: npt.NDArray[Any], width: np.timedelta64, counts: npt.NDArray[Any]) -> None:
    """Draw bars over time in UTC, whatever zone the user has set."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

    ax.bar(starts, counts, width=width, align="edge", color=BAR, edgecolor=GROUND, linewidth=0.5)
    locator = AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call]  # matplotlib does not type it
    ax.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, tz=UTC)  # type: ignore[no-untyped-call]  # nor this
    ax.xaxis.set_major_formatter(formatter)
    _whole_numbers(ax.yaxis)
    ax.grid(visible=True, axis="y", linewidth=0.8, alpha=0.6)
    ax.margins(x=0.01, y=0.1)
    (first, last), (low, high) = (date2num(end) for end in _CALENDAR), ax.get_xlim()  # type: ignore[no-untyped-call]
    if not first <= low <= high <= last:  # matplotlib has no dates there
        ax.set_xlim(max(first, low), min(high, last))


def _span(bars: int, fewest: int) -> tuple[float, float]:
    """Return the limits of an axis of bars, with room beside a few of them, so that one alone does not fill the picture."""
    room = 0.6 + max(0, fewest - bars) / 2
    return -room, bars - 1 + room


def _mark(bars: BarContainer, ended: int) -> None:
    for bar in bars.patches[:ended]:
        bar.set(facecolor=ENDED, hatch=HATCH, edgecolor=INK, linewidth=0.5)


def _whole_numbers(axis: Any) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
