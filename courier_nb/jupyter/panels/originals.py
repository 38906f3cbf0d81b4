"""The messages of the table that were replayed: what became of the originals, and what the table says of them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from courier_nb.flows.plans import messages
from courier_nb.flows.replaying.replayed import Replayed
from courier_nb.jupyter.panels.context import Browser

REPLAYED = "replayed"
"""Flag of a row that was published again."""
_BACK = ("returned", "put_back", "lost_lock")


def confirmed(report: Replayed, places: Sequence[int]) -> list[int]:
    """Return the rows that are known to have arrived.

    Parameters
    ----------
    report : Replayed
    places : sequence of int
        Positions in the table of the rows that were replayed, in their order.
    """
    states = report.frame()["state"]
    return [places[one.position] for one, state in zip(report.outcomes, states, strict=True) if state == "confirmed"]


def done_before(browser: Browser, places: Sequence[int]) -> list[str]:
    """Return in words how many rows were acknowledged or replayed already."""
    acked = _states(browser, places).count("acked") if places and browser.capture is None else 0
    again = sum(REPLAYED in browser.flags_of(place) for place in places)
    lines = [f"{acked} of them {_was(acked)} acknowledged already."] if acked else []
    return [*lines, *([f"{again} of them {_was(again)} replayed from this table already."] if again else [])]


def originals(browser: Browser, places: Sequence[int]) -> list[str]:
    """Return in words where the originals of rows are still waiting, and how to be rid of them."""
    if browser.capture is not None or "lock_id" not in browser.frame.columns:
        return []
    held: set[str] = set()
    back: set[str] = set()
    names = browser.frame["destination"]
    for state, name in zip(_states(browser, places), names.iloc[list(places)].astype(str), strict=True):
        if state == "held":
            held.add(name)
        elif state in _BACK:
            back.add(name)
    lines = [f"The originals are still in {name!r}: acknowledge them in Settle." for name in sorted(held)]
    return [
        *lines,
        *(f"Originals are still in {name!r}, not locked for you: receive them to delete them." for name in sorted(back)),
    ]


def said_of(count: int, hidden: int) -> str:
    """Return how many rows of the table are replayed, in words."""
    left_out = f" ({hidden} more {'is' if hidden == 1 else 'are'} hidden by the filter and left out)" if hidden else ""
    return f"{messages(count)} of the table{left_out}"


def _states(browser: Browser, places: Sequence[int]) -> list[str]:
    """Return what became of the rows' messages, as far as that is known; ``held`` while they are locked for us."""
    frame = browser.frame
    none = pd.Series([None] * len(frame), dtype=object)
    is_locked = frame.get("lock_id", none).notna().tolist()
    settlement = frame.get("settlement", none)
    settled = settlement.where(settlement.notna(), "").tolist()
    return [browser.state_of(place) or settled[place] or ("held" if is_locked[place] else "") for place in places]


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
