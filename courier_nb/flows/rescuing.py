"""Putting messages back whole: published afresh, confirmed, and only then acknowledged; all deliveries are theirs again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from courier_nb.core.messages import Message, Outcome
from courier_nb.core.progress import Counter
from courier_nb.flows.provenance import new_id, with_message_id, with_provenance
from courier_nb.flows.publish import publish
from courier_nb.flows.settle import Held, settle
from courier_nb.wire.operations import Operations

_AT_A_TIME = 8


async def put_back(
    operations: Operations,
    destination: str,
    messages: Sequence[Message],
    locks: Sequence[Held],
    *,
    run: str,
    is_fifo: bool | None,
) -> list[Outcome]:
    """Publish messages into the queue they came from and acknowledge the old ones; nothing is acknowledged unconfirmed.

    Whenever this is cut off, each message is in the queue once, or twice: the old one was not acknowledged yet. Ids stay in a
    standard queue; a FIFO queue may drop a message whose id it knows, so there each gets a new one, and its origin as properties.

    Parameters
    ----------
    messages, locks : sequence
        In the order in which they were received; a message and its lock have the same place.
    run : str
        Identity of the run.
    is_fifo : bool or None
        None when it is not known; then it is taken for one.
    """
    fresh = [_plain(m) if is_fifo is False else _fresh(m, run, i) for i, m in enumerate(messages)]
    published = await publish(operations, destination, fresh, concurrency=_AT_A_TIME, counter=Counter(""))
    done = [place for place, outcome in enumerate(published.outcomes) if outcome.kind == "ok"]
    found = {
        place: Outcome(lock.message_id, destination, outcome.kind, f"it could not be published afresh: {outcome.reason}", place)
        for place, (lock, outcome) in enumerate(zip(locks, published.outcomes, strict=True))
    }
    if done:
        acked = await settle(
            operations, "ack", destination, [locks[place] for place in done], concurrency=_AT_A_TIME, is_urgent=True
        )
        for place, outcome in zip(done, acked.outcomes, strict=True):
            if outcome.kind == "ok":
                found[place] = replace(outcome, position=place)
            else:
                reason = f"it was published afresh, but the old one was not acknowledged and may come again: {outcome.reason}"
                found[place] = Outcome(outcome.message_id, destination, "unknown", reason, place)
    return [found[place] for place in range(len(messages))]


def _plain(message: Message) -> Message:
    # the delay that the publisher asked for is over
    return replace(message, headers={name: value for name, value in message.headers.items() if name != "deliveryDelay"})


def _fresh(message: Message, run: str, place: int) -> Message:
    # Always, not only within the five minutes that an id is remembered: a clock that is wrong would lose the message.
    return with_message_id(_plain(with_provenance(message, run, 1)), new_id(run, str(place).encode()))
