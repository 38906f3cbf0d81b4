"""What a verb may be given: messages, reports, frames, captures, Parquet files. Read lazily, so that memory stays flat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import platformdirs

from courier_nb.core.errors import CaptureError, FrameError
from courier_nb.core.messages import Message
from courier_nb.flows.reports import Received
from courier_nb.flows.settle import Held, deadline_of, held
from courier_nb.frames.publishable import locks_from_frame, messages_from_frame
from courier_nb.storage.capture import Capture
from courier_nb.storage.disk import file_stem
from courier_nb.storage.foreign.jsonl import is_jsonl, read_jsonl
from courier_nb.storage.foreign.parquet import read_messages
from courier_nb.storage.layout import Layout

Rows = pd.DataFrame | Received | Sequence[Message]
"""Rows to settle: a frame that ``receive`` gave (or a part of it), its report, or messages."""

Source = pd.DataFrame | Capture | Received | Sequence[Message] | Message | str | Path
"""Messages to publish: a frame, a capture or its folder, a Parquet file that this package wrote, JSON Lines, or messages."""


class Repeatable(Iterable[Message]):
    """Messages that are read anew each time they are gone through.

    Parameters
    ----------
    read : callable
        Begins to read.
    """

    def __init__(self, read: Callable[[], Iterator[Message]]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[Message]:
        return self._read()


@dataclass(frozen=True, slots=True)
class OpenSource:
    """A source that was looked at and can be read.

    Attributes
    ----------
    messages : iterable of Message
        Read as it is consumed; may be gone through several times.
    size : int
        How many there are.
    origins : frozenset of str
        Destinations that they were received from.
    ledger : Path or None
        Where a replay of it is recorded; None means the user's own ledger of the target.
    """

    messages: Iterable[Message]
    size: int
    origins: frozenset[str]
    ledger: Path | None = None


def open_source(source: Source, *, strict: bool) -> OpenSource:
    """Look at a source and check what can be checked before anything is sent.

    Raises
    ------
    FrameError
        When a frame cannot be published.
    CaptureError
        When a path is neither a capture nor a Parquet file of ours.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.exists() and (is_jsonl(path) or path.suffix == ".parquet"):
            raise CaptureError(f"{path} does not exist.", path=path)
        source = Capture(path) if path.is_dir() or not path.exists() else path
    if isinstance(source, Capture):
        origins = frozenset(_names(source.frame(["destination"])["destination"]))
        return OpenSource(Repeatable(source.messages), len(source), origins, Layout(source.path).ledger)
    if isinstance(source, Path):
        return _open_file(source)
    messages = _messages(source, strict)
    return OpenSource(messages, len(messages), frozenset(m.destination for m in messages if m.destination))


def held_rows(rows: Rows, destination: str) -> list[Held]:
    """Return the locks of `rows`.

    Raises
    ------
    FrameError
        When a row holds no lock, or is of another destination.
    """
    if isinstance(rows, pd.DataFrame):
        found = locks_from_frame(rows)
        _check_origin([origin for _, _, origin, _ in found], destination)
        return [Held(message_id, lock_id, deadline_of(expires)) for message_id, lock_id, _, expires in found]
    messages = list(_iterable(rows.messages if isinstance(rows, Received) else rows))
    for position, message in enumerate(messages):
        if not isinstance(message, Message):
            raise FrameError(f"Row {position} is {type(message).__name__}; a frame, a report or messages were expected.")
    _check_origin([message.destination for message in messages], destination)
    locks = [held(message) for message in messages]
    without = [position for position, lock in enumerate(locks) if lock is None]
    if without:
        raise FrameError(
            f"{len(without)} messages hold no lock (first: number {without[0]}).", columns=["lock_id"], rows=without[:5]
        )
    return [lock for lock in locks if lock is not None]


def default_capture_folder(destination: str, environment: str, stamp: str) -> Path:
    """Return a folder of the user's own for a drain that was not told where to write."""
    return platformdirs.user_data_path("courier_nb") / "captures" / file_stem(environment) / f"{file_stem(destination)}-{stamp}"


def ledgers_folder() -> Path:
    """Return the folder of the ledgers of what was replayed from elsewhere than a capture."""
    return platformdirs.user_state_path("courier_nb") / "ledgers"


def ledger_of_target(target: str) -> Path:
    """Return the user's own ledger for what is sent to a target."""
    return ledgers_folder() / f"{file_stem(target)}.jsonl"


def _open_file(path: Path) -> OpenSource:
    if is_jsonl(path):
        lines = sum(1 for _ in read_jsonl(path))  # every line is looked at before the first is sent
        return OpenSource(Repeatable(lambda: read_jsonl(path)), lines, frozenset())
    origins: set[str] = set()
    size = 0
    for message in read_messages(path):  # every row is looked at before the first is sent
        size += 1
        if message.destination is not None:
            origins.add(message.destination)
    return OpenSource(Repeatable(lambda: read_messages(path)), size, frozenset(origins))


def _messages(source: pd.DataFrame | Received | Sequence[Message] | Message, strict: bool) -> list[Message]:
    if isinstance(source, pd.DataFrame):
        return messages_from_frame(source, strict=strict)
    if isinstance(source, Message):
        return [source]
    messages = list(_iterable(source.messages if isinstance(source, Received) else source))
    for position, message in enumerate(messages):
        if not isinstance(message, Message):
            raise FrameError(
                f"Item {position} is {type(message).__name__}; messages, a frame, a capture or a path were expected."
            )
    return messages


def _iterable(given: Sequence[Message]) -> Sequence[Message]:
    if not isinstance(given, Iterable):  # whatever the type says
        raise FrameError(f"{type(given).__name__} was given; messages, a report, a frame, a capture or a path were expected.")
    return given


def _names(cells: pd.Series[str]) -> Iterator[str]:
    yield from (str(name) for name in cells.dropna().unique())


def _check_origin(origins: Iterable[str | None], destination: str) -> None:
    others = sorted({str(origin) for origin in origins if origin != destination})
    if others:
        raise FrameError(
            f"Rows of {', '.join(map(repr, others[:5]))} were given to {destination!r}; their locks are not valid there. "
            "Select the rows of one destination.",
            columns=["destination"],
        )
