"""Undo: what a drain acknowledged, read back from its capture so that it can be published where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from courier_nb.core.errors import CaptureDamaged, InvalidArgument
from courier_nb.core.messages import Message, Outcome
from courier_nb.flows.sources import OpenSource, Repeatable
from courier_nb.frames.tables import messages_of
from courier_nb.storage.capture import Capture
from courier_nb.storage.journal.journal import Journal
from courier_nb.storage.layout import Layout
from courier_nb.storage.replays.ledger import runs_of
from courier_nb.storage.replays.rowkeys import content_key


@dataclass(frozen=True, slots=True)
class Undoable:
    """What a run took away.

    Attributes
    ----------
    run, destination, environment : str
    source : OpenSource
        The messages to publish.
    left_out : tuple of str or None
        Ids of messages whose acknowledgement had no certain answer and that are not to be published.
    """

    run: str
    destination: str
    environment: str
    source: OpenSource
    left_out: tuple[str | None, ...]

    def left_out_outcomes(self, start: int) -> list[Outcome]:
        """Return the outcomes of what is not to be published, numbered from `start` on."""
        reason = "its acknowledgement had no certain answer, it may still be in the queue; include_unknown=True publishes it too"
        return [Outcome(id_, self.destination, "unknown", reason, start + i) for i, id_ in enumerate(self.left_out)]


def find_undoable(run: str, capture: str | Path | Capture | None, journal: Journal | None, *, include_unknown: bool) -> Undoable:
    """Find what a run acknowledged.

    Parameters
    ----------
    run : str
        As the journal and the column ``run`` of the capture name it.
    capture : Capture or path, optional
        Default: where the journal says that it is.
    include_unknown : bool
        Also take messages whose acknowledgement had no certain answer.

    Raises
    ------
    InvalidArgument
        When the run is not known, or is not one that can be undone.
    CaptureDamaged
        When the capture does not hold what was written into it.
    CaptureError
        When there is no capture.
    """
    begun = None if journal is None else journal.find_run(run)
    if begun is not None:
        _check_verb(run, begun["verb"], str(begun["arguments"].get("to") or begun["destination"]))
    if capture is None and (begun is None or not begun["capture"]):
        found = "is not in the journal" if begun is None else "wrote no capture, as far as the journal knows"
        raise InvalidArgument(f"Run {run!r} {found}: name the folder that it captured into, capture=.")
    opened = capture if isinstance(capture, Capture) else Capture(capture if capture is not None else begun["capture"])  # type: ignore[index]
    for other in runs_of(Layout(opened.path).ledger):
        if other["run"] == run:
            _check_verb(run, other["verb"], other["target"].rsplit("/", 1)[-1])
    damage = [finding for finding in opened.verify().findings if finding.what]
    if damage:
        raise CaptureDamaged(
            f"{damage[0].file}: {damage[0].what}. Nothing is undone from a damaged capture; verify() lists all of it.",
            path=opened.path,
        )
    destination, environment = _origin(opened, run)
    unknown = _unknown(opened, run)
    acked = _count(opened, run)

    def messages() -> Iterator[Message]:
        yield from _messages(opened, run, ("acked",))
        if include_unknown:
            yield from unknown

    source = OpenSource(
        Repeatable(messages), acked + len(unknown) * include_unknown, frozenset({destination}), Layout(opened.path).ledger
    )
    left_out = () if include_unknown else tuple(message.message_id for message in unknown)
    return Undoable(run, destination, environment, source, left_out)


def _check_verb(run: str, verb: str, destination: str) -> None:
    if verb == "move":
        raise InvalidArgument(
            f"Run {run!r} is a move: its messages are in {destination!r} by now, and publishing them again would double them. "
            "Move them back with move()."
        )
    if verb != "drain":
        raise InvalidArgument(f"Run {run!r} is of {verb}, which takes nothing away; only a drain can be undone.")


def _origin(capture: Capture, run: str) -> tuple[str, str]:
    places: set[tuple[str, str]] = set()
    for batch in capture.batches(["destination", "environment"], run=run, all_copies=True):
        places.update(zip(batch["destination"].to_pylist(), batch["environment"].to_pylist(), strict=True))
    if not places:
        raise InvalidArgument(f"The capture {capture.path} holds nothing of run {run!r}; its column run names those it holds.")
    if len(places) > 1:
        raise InvalidArgument(f"Run {run!r} captured from several places: {', '.join(map(str, sorted(places)[:3]))}.")
    return places.pop()


def _count(capture: Capture, run: str) -> int:
    batches = capture.batches(["message_id"], run=run, settlement=("acked",), all_copies=True)
    return sum(batch.num_rows for batch in batches)


def _messages(capture: Capture, run: str, settlement: tuple[str, ...]) -> Iterator[Message]:
    # All copies: each was acknowledged by itself, so each was a message of its own in the queue.
    for batch in capture.batches(run=run, settlement=settlement, all_copies=True):
        yield from messages_of(batch)


def _unknown(capture: Capture, run: str) -> list[Message]:
    """Return messages whose acknowledgement is uncertain, without those that came again and were acknowledged then."""
    found: dict[bytes, Message] = {content_key(message): message for message in _messages(capture, run, ("unknown",))}
    if found:
        for message in _messages(capture, run, ("acked",)):
            found.pop(content_key(message), None)
    return list(found.values())
