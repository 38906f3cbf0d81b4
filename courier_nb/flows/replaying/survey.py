"""The first look through a source: the keys of its rows, and from them the identity of the run."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from itertools import islice

from anyio import to_thread

from courier_nb.core.errors import FrameError
from courier_nb.core.messages import Message
from courier_nb.flows.replaying.fifo import is_recent
from courier_nb.flows.replaying.provenance import foreign_properties
from courier_nb.storage.replays.ledger import Ledger

CHUNK = 500
_CHUNK_BYTES = 8_000_000
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Choices:
    """What changes what a replay sends, and so makes it another run.

    Attributes
    ----------
    verb : str
    ids : {"keep", "new"}
    provenance : bool
    """

    verb: str
    ids: str
    provenance: bool


@dataclass(slots=True)
class Survey:
    """What is in a source.

    Attributes
    ----------
    rows : int
    digest : str
        Of all keys in their order.
    has_groups : bool
        Whether a row belongs to a message group.
    recent : int
        Rows that the broker took less than five minutes ago.
    first_recent : list of int
        Positions of the first of them.
    clashes : int
        Rows with a property of ours that is the user's own.
    """

    rows: int = 0
    digest: str = ""
    has_groups: bool = False
    recent: int = 0
    first_recent: list[int] = field(default_factory=list)
    clashes: int = 0
    first_clash: tuple[int, str] | None = None

    def run(self, target: str, choices: Choices) -> str:
        """Return the run's identity: the same for the same rows, target and choices."""
        content = json.dumps([target, self.rows, self.digest, asdict(choices)], sort_keys=True).encode()
        return f"{choices.verb}-{blake2b(content, digest_size=8).hexdigest()}"

    def check_names(self) -> None:
        """Refuse rows whose own properties would be taken for ours.

        Raises
        ------
        FrameError
        """
        if self.first_clash is not None:
            row, name = self.first_clash
            raise FrameError(
                f"{self.clashes} messages have a property {name!r} of their own (first: row {row}), which a replay sets to say "
                "where a message comes from: rename it, or replay with provenance=False.",
                columns=[f"prop.{name}"],
                rows=[row],
            )


async def survey(messages: Iterable[Message], ledger: Ledger, clock_ahead: float) -> Survey:
    """Go through a source once; the keys of its rows are noted in the ledger's index.

    `clock_ahead` is by how many seconds the service's clock is ahead of this machine's.
    """
    found = Survey()
    digest = blake2b(digest_size=16)
    now = ledger.now().wall + clock_ahead

    def look(chunk: list[Message]) -> None:
        keys = ledger.keys(chunk)
        ledger.index.note_present(keys)
        for message, key in zip(chunk, keys, strict=True):
            digest.update(key)
            found.has_groups = found.has_groups or message.message_group_id is not None
            if is_recent(message, now):
                found.recent += 1
                if len(found.first_recent) < _SHOWN:
                    found.first_recent.append(found.rows)
            clash = foreign_properties(message)
            if clash:
                found.clashes += 1
                found.first_clash = found.first_clash or (found.rows, clash[0])
            found.rows += 1

    async for chunk in chunked(messages):
        await to_thread.run_sync(look, chunk)
    found.digest = digest.hexdigest()
    ledger.index.start_over()
    return found


async def chunked(messages: Iterable[Message]) -> AsyncIterator[list[Message]]:
    """Yield the messages of a source by the hundred. Reading Parquet blocks, so it is done in a thread."""
    source = iter(messages)
    take: Callable[[], list[Message]] = lambda: _take(source)  # noqa: E731
    while chunk := await to_thread.run_sync(take):
        yield chunk


def _take(source: Iterator[Message]) -> list[Message]:
    taken: list[Message] = []
    size = 0
    for message in islice(source, CHUNK):
        taken.append(message)
        size += len(message.body or "")
        if size >= _CHUNK_BYTES:
            break
    return taken
