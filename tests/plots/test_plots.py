"""Pictures of messages, looked at through what matplotlib was told to draw."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from courier_nb import Capture, Client, FrameError, InvalidArgument, Message, plots
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.client import broker_settings

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ALL: dict[str, Callable[..., Axes]] = {
    "arrivals": plots.arrivals,
    "age": plots.age,
    "delivery_count": plots.delivery_count,
    "size": plots.size,
    "lock_left": plots.lock_left,
    "ttl_left": plots.ttl_left,
    "top_values": lambda source, **options: plots.top_values(source, "event", **options),
}


@pytest.fixture(autouse=True)
def no_window(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    mpl.use("agg")
    yield
    pyplot.close("all")


@pytest.fixture
def client() -> Iterator[Client]:
    with (
        LocalBroker(queues=[QueueConfig("orders")]) as broker,
        Client(broker_settings(broker.settings), transport=broker.transport()) as client,
    ):
        yield client


def frame_of(**columns: list[Any]) -> pd.DataFrame:
    size = len(next(iter(columns.values())))
    whole: dict[str, Any] = {
        "created": [NOW] * size,
        "received_at": [NOW] * size,
        "lock_expires_at": [NOW] * size,
        "ttl": [60_000] * size,
        "delivery_count": [1] * size,
        "body": ["x"] * size,
        "prop.event": ["push"] * size,
        **columns,
    }
    frame = pd.DataFrame(whole)
    for name in ("created", "received_at", "lock_expires_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
    return frame.astype({"ttl": "Int64", "delivery_count": "Int64"})


def labels(ax: Axes) -> list[str]:
    return [text.get_text().replace("\n", " ") for text in ax.get_xticklabels()]


def heights(ax: Axes) -> list[float]:
    return [bar.get_height() for bar in ax.patches]  # type: ignore[attr-defined]


def shown(ax: Axes) -> dict[str, float]:
    return {label: height for label, height in zip(labels(ax), heights(ax), strict=True) if height}


def title_of(ax: Axes) -> Text:
    return next(text for text in ax.findobj(Text) if text.get_text() == ax.get_title(loc="left"))


def test_arrivals_are_counted_in_utc_whatever_zone_the_frame_and_the_user_have() -> None:
    times = [NOW, NOW + timedelta(seconds=10), NOW + timedelta(hours=20)]
    frame = frame_of(created=times)
    frame["created"] = frame["created"].dt.tz_convert("Asia/Tokyo")
    with mpl.rc_context({"timezone": "America/New_York"}):
        ax = plots.arrivals(frame)
        ax.figure.canvas.draw()
        ticks = [label.get_text() for label in ax.get_xticklabels()]
    assert sum(heights(ax)) == 3
    assert heights(ax)[0] == 2
    assert ax.get_ylabel() == "messages per 30 min"
    assert "(UTC)" in ax.get_xlabel()
    assert ticks[0] == "12:00"


def test_what_has_no_time_is_said_and_not_drawn() -> None:
    ax = plots.arrivals(frame_of(created=[NOW, None, None]))
    assert sum(heights(ax)) == 1
    assert "2 without a created time" in ax.get_xlabel()
    assert ax.get_title(loc="left") == "Arrivals of 1 messages"


@pytest.mark.parametrize("years", [1, 200, 7_999, 9_998])
def test_arrivals_of_many_years_have_few_bars(years: int) -> None:
    first = 1 if years > 7_999 else 2000
    created = [datetime(first, 1, 1, tzinfo=UTC), datetime(first + years, 1, 1, tzinfo=UTC)]
    ax = plots.arrivals(frame_of(created=created))
    ax.figure.canvas.draw()
    assert sum(heights(ax)) == 2
    assert ax.get_ylabel().startswith("messages per ")


def test_the_age_is_that_at_the_receive() -> None:
    ages = [timedelta(seconds=5), timedelta(hours=2), timedelta(days=3), timedelta(seconds=-1)]
    ax = plots.age(frame_of(created=[NOW - age for age in ages]))
    assert shown(ax) == {"< 1 s": 1, "1 s to 10 s": 1, "1 h to 6 h": 1, "1 d to 7 d": 1}
    assert "1 from the future: the clocks differ" in ax.get_xlabel()


def test_the_age_at_a_moment_needs_no_receive() -> None:
    frame = frame_of(created=[NOW - timedelta(minutes=5)]).drop(columns="received_at")
    ax = plots.age(frame, at=NOW)
    assert shown(ax) == {"1 min to 10 min": 1}
    assert "2026-11-23 12:00:00 UTC" in ax.get_xlabel()


def test_many_deliveries_share_the_last_bar() -> None:
    ax = plots.delivery_count(frame_of(delivery_count=[1, 1, 3, 15, 400, None]))
    assert shown(ax) == {"1": 2, "3": 1, "15–400": 2}
    assert "the last bar holds 2 messages of 15 to 400 deliveries" in ax.get_xlabel()
    assert "1 without a delivery count" in ax.get_xlabel()


def test_sizes_are_bytes_of_utf_8() -> None:
    frame = frame_of(body=["é" * 60, "x" * 99, None, None])
    frame["body_bytes"] = [None, None, b"\xff" * 2_000, None]
    ax = plots.size(frame)
    assert shown(ax) == {"< 100 B": 1, "100 B to 1 kB": 1, "1 kB to 10 kB": 1}
    assert "median 120 B, largest 2,000 B, all 2,219 B" in ax.get_xlabel()
    assert "1 without a body" in ax.get_xlabel()


def test_a_lock_that_ran_out_is_told_by_more_than_colour() -> None:
    ends = [NOW - timedelta(seconds=1), NOW + timedelta(seconds=5), NOW + timedelta(minutes=3), NOW]
    frame = frame_of(lock_expires_at=ends)
    frame["settlement"] = [None, "held", None, "acked"]
    ax = plots.lock_left(frame, now=NOW)
    assert shown(ax) == {"ran out": 1, "< 10 s": 1, "2 min to 5 min": 1}
    assert "1 not held any more" in ax.get_xlabel()
    first, *others = ax.patches
    assert first.get_hatch()
    assert not any(bar.get_hatch() for bar in others)


def test_the_time_to_live_is_counted_from_the_creation_in_milliseconds() -> None:
    frame = frame_of(created=[NOW - timedelta(minutes=5), NOW, NOW, None], ttl=[60_000, 90_000, None, 60_000])
    ax = plots.ttl_left(frame, now=NOW)
    assert shown(ax) == {"over": 1, "1 min to 10 min": 1}
    assert "1 without a time to live" in ax.get_xlabel()
    assert "1 without a created time" in ax.get_xlabel()


def test_the_top_values_say_what_is_left_out() -> None:
    values = ["a"] * 5 + ["b"] * 3 + ["c", "d", "d", None]
    ax = plots.top_values(frame_of(**{"prop.event": values}), "event", most=2)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b"]
    assert [bar.get_width() for bar in ax.patches] == [5, 3]  # type: ignore[attr-defined]
    assert "top 2 of 4 values; 3 messages have another" in ax.get_xlabel()
    assert "1 without prop.event" in ax.get_xlabel()


@pytest.mark.parametrize("name", ["event", "prop.event", "destination"])
def test_a_property_or_a_column_can_be_named(name: str) -> None:
    ax = plots.top_values(frame_of(destination=["push"]), name)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["push"]


@pytest.mark.parametrize("tex", [False, True])
def test_foreign_text_is_neither_formula_nor_markup(tex: bool) -> None:
    hostile = ["$\\frac{1$", "$x$ and $y$", "\\input{/etc/passwd}", "a\nb", "\u202eevil", "z" * 500, "&<b>"]
    with mpl.rc_context({"text.usetex": tex}):  # with TeX the text would even be a program
        ax = plots.top_values(frame_of(**{"prop.e$v$": hostile}), "e$v$")
        ax.figure.canvas.draw()
        own = pyplot.subplots()[1]
        plots.top_values(frame_of(**{"prop.event": hostile}), "event", ax=own)
        texts = [*ax.get_yticklabels(), *own.get_yticklabels(), title_of(ax), ax.xaxis.label]
        assert not any(text.get_usetex() or text.get_parse_math() for text in texts)
    written = {text.get_text() for text in ax.get_yticklabels()}
    assert {"$\\frac{1$", "$x$ and $y$", "a\\x0ab", "\\u202eevil", "&<b>"} <= written
    assert max(map(len, written)) < 50


@pytest.mark.parametrize("name", ALL)
def test_an_empty_frame_and_one_without_values_say_that_there_is_nothing(name: str) -> None:
    none = frame_of(created=[NOW]).iloc[:0]
    missing = frame_of(created=[None], received_at=[None], lock_expires_at=[None], ttl=[None], delivery_count=[None], body=[None])
    for frame in (none, missing.assign(**{"prop.event": [None]})):
        ax = ALL[name](frame)
        ax.figure.canvas.draw()
        assert not ax.patches
        assert any(text.get_text().startswith("No message") for text in ax.texts)


@pytest.mark.parametrize("name", ALL)
def test_the_settings_of_the_user_stay_as_they_are(name: str) -> None:
    with mpl.rc_context({"axes.facecolor": "black", "font.size": 17}):
        before = dict(mpl.rcParams)
        ALL[name](frame_of(created=[NOW]))
        assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_a_figure_of_ours_has_its_own_ground_and_dark_text(style: str) -> None:
    with pyplot.style.context(style):
        ax = plots.delivery_count(frame_of(delivery_count=[1, 2]))
    texts = [title_of(ax), ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels(), *ax.texts]
    ground = ax.figure.get_facecolor()
    assert ground[3] == 1  # type: ignore[index]
    assert min(contrast(text.get_color(), ground) for text in texts) > 7
    assert min(contrast(bar.get_facecolor(), ground) for bar in ax.patches) > 3


def test_the_two_colours_differ_for_people_who_see_no_red_or_no_green() -> None:
    style = plots.counts.style
    for matrix in (PROTANOPIA, DEUTERANOPIA):
        seen = [matrix @ np.array(to_rgb(colour)) for colour in (style.BAR, style.ENDED)]
        assert np.abs(seen[0] - seen[1]).max() > 0.35


def test_the_axes_of_the_user_keep_their_colours() -> None:
    with pyplot.style.context("dark_background"):
        figure, own = pyplot.subplots()
        ax = plots.lock_left(frame_of(created=[NOW]), now=NOW, ax=own)
    assert ax is own
    assert to_rgb(figure.get_facecolor()) == (0, 0, 0)
    texts = [title_of(ax), ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(), *ax.texts]
    assert min(contrast(text.get_color(), "black") for text in texts) > 7


def test_a_capture_and_what_was_received_are_drawn_like_their_frame(client: Client, tmp_path: Path) -> None:
    orders = client.destination("orders")
    orders.publish([Message("x" * 150, {"event": "push"}), Message("y", {"event": "pull"}), Message("z")])
    received = orders.receive(3)
    assert shown(plots.lock_left(received)) == {"1 min to 2 min": 3}
    assert shown(plots.size(received)) == {"< 100 B": 2, "100 B to 1 kB": 1}
    assert "1 without prop.event" in plots.top_values(received, "event").get_xlabel()
    orders.nack(received)
    capture = orders.drain(tmp_path / "capture", polling_time="10ms", progress=False)
    assert isinstance(capture, Capture)
    assert shown(plots.size(capture)) == {"< 100 B": 2, "100 B to 1 kB": 1}
    assert shown(plots.delivery_count(capture)) == {"2": 3}
    assert plots.top_values(capture, "event").get_title(loc="left") == "Values of prop.event"
    assert sum(heights(plots.arrivals(capture))) == 3
    assert "3 not held any more" in plots.lock_left(capture).get_xlabel()
    for name, draw in ALL.items():
        assert isinstance(draw(capture), Axes), name


@pytest.mark.parametrize("name", ALL)
def test_a_missing_column_is_named(name: str) -> None:
    with pytest.raises(FrameError, match="The frame has no column"):
        ALL[name](pd.DataFrame({"other": [1]}))


def test_wrong_arguments_are_named() -> None:
    frame = frame_of(created=[NOW])
    with pytest.raises(InvalidArgument, match="has no time zone"):
        plots.age(frame, at=datetime(2026, 1, 1))
    with pytest.raises(InvalidArgument, match="most is 0"):
        plots.top_values(frame, "event", most=0)
    with pytest.raises(InvalidArgument, match="not list"):
        plots.size([1])  # type: ignore[arg-type]
    with pytest.raises(FrameError, match="'created' is str; times with their zone"):
        plots.arrivals(pd.DataFrame({"created": ["2026"]}))


def test_without_matplotlib_one_line_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import pandas as pd, courier_nb\n"
        "try: courier_nb.plots.size(pd.DataFrame({'body': ['x']}))\n"
        "except ImportError as error: print(error)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == 'Plots need matplotlib: install it with pip install "courier-nb[lab]".'


# What is left of red, green and blue (Viénot, Brettel and Mollon 1999, rounded).
PROTANOPIA = np.array([[0.11, 0.89, 0.0], [0.11, 0.89, 0.0], [0.0, 0.0, 1.0]])
DEUTERANOPIA = np.array([[0.29, 0.71, 0.0], [0.29, 0.71, 0.0], [-0.02, 0.02, 1.0]])


def contrast(one: Any, other: Any) -> float:
    """Return the contrast of two colours as WCAG 2 counts it."""
    low, high = sorted(luminance(colour) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: Any) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("counts", [[3], [1, 2]])
def test_a_few_bars_are_not_wider_than_many(counts: list[int]) -> None:
    few = plots.delivery_count(frame_of(delivery_count=counts)).get_figure(root=True)
    many = plots.delivery_count(frame_of(delivery_count=list(range(1, 8)))).get_figure(root=True)
    assert few is not None and many is not None
    widths = [share_of_axis(figure.axes[0], 0) for figure in (few, many)]
    assert widths[0] <= widths[1] * 1.1
    one = plots.top_values(frame_of(**{"prop.event": ["push"]}), "event")
    assert share_of_axis(one, 1) < 0.4
    assert one.get_ylim()[0] > one.get_ylim()[1]  # the most frequent is on top


def share_of_axis(drawn: Axes, axis: int) -> float:
    """Return how much of an axis its first bar takes."""
    bar: Any = drawn.patches[0]
    limits = (drawn.get_xlim, drawn.get_ylim)[axis]()
    return float((bar.get_width, bar.get_height)[axis]() / abs(limits[1] - limits[0]))
