"""Reports in words: counts by outcome, and what did not end as asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from courier_nb.core.messages import Outcome
from courier_nb.core.printable import plain
from courier_nb.flows.locks.listeners import DEAD_LETTERED, state_after
from courier_nb.flows.plans import Plan

OUTCOME_WORDS = {
    "refused": "refused by the service",
    "lost_lock": "lock lost before it was settled: it will come again",
    "unknown": "no certain answer",
    "skipped": "not tried",
}
DRAIN_WORDS = {
    "acked": "deleted from the queue, and in the capture",
    "returned": "back in the queue",
    "refused": "refused by the service",
    "lost_lock": "lock lost: in the capture, and will come again",
    "unknown": "no certain answer: in the capture, and perhaps still in the queue",
}
MOVE_WORDS = {
    "moved": "moved",
    "came_again": "of them copied by an earlier run already",
    "unknown": "no certain answer: not deleted here",
    "refused": "refused, and back in the queue",
    "skipped": "not tried, and back in the queue",
    "lost_lock": "lock lost: will come again",
}


def counted(counts: Mapping[str, int], words: Mapping[str, str]) -> list[str]:
    """Return one line for each outcome that occurred."""
    return [f"{counts[kind]} {words.get(kind, kind)}" for kind in dict.fromkeys((*words, *counts)) if counts.get(kind)]


def not_ok(outcomes: Iterable[Outcome]) -> list[tuple[str, str, str]]:
    """Return id, outcome and reason of each message that did not end as asked."""
    return [
        (plain(one.message_id or "(no id)"), OUTCOME_WORDS.get(one.kind, one.kind), plain(one.reason))
        for one in outcomes
        if one.kind != "ok"
    ]


def outcome_lines(outcomes: Sequence[Outcome], ok: str) -> list[str]:
    """Return the counts by outcome; `ok` says what happened to those that ended as asked."""
    counts: dict[str, int] = {}
    for one in outcomes:
        kind = DEAD_LETTERED if state_after("nack", one) == DEAD_LETTERED else one.kind
        counts[kind] = counts.get(kind, 0) + 1
    words = {"ok": ok, DEAD_LETTERED: "gone to the dead-letter queue: their deliveries were used up", **OUTCOME_WORDS}
    return counted(counts, words) if counts else ["there was nothing to do"]


def cost(calls: int, seconds: float) -> str:
    """Return what it cost in words."""
    return f"{'1 call, which is' if calls == 1 else f'{calls} calls, each'} billed; {seconds:.1f} s."


def plan_lines(plan: Plan) -> list[str]:
    """Return a dry run as lines of their own."""
    return [line.strip() for line in plan.lines()]
