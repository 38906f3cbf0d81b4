"""What a message looks like after it has moved to the dead-letter queue."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from courier_nb.core.messages import whole_number
from courier_nb.doctor.bench import Bench, Held
from courier_nb.doctor.probes.seen import Seen

_APART_SECONDS = 4


async def dead_letter(bench: Bench) -> tuple[Seen, ...]:
    """``deliveryCount`` and ``created`` of a dead letter."""
    deliveries = bench.subject.max_deliveries or 0
    target = bench.subject.dead_letter_queue or ""
    first = held = await bench.deliver()
    await bench.pace.sleep(_APART_SECONDS)  # `created` has a resolution of a second
    for _ in range(deliveries - 1):
        await bench.nack(held)
        held = await bench.fetch(first.id)
    await bench.nack(held)
    # Where the deliveries are counted at the receive, this one moves it.
    _, again = await bench.receive(poll_ms=1_000)
    if again:
        nothing = Seen.nothing(f"after {deliveries} deliveries the message is still in the queue")
        return nothing, nothing
    bench.moved(first.id, target)
    dead = await bench.fetch(first.id, queue=target)
    return _count(dead, deliveries), _created(first, dead, is_fifo=bool(bench.subject.fifo))


def _count(dead: Held, deliveries: int) -> Seen:
    text = _header(dead, "deliveryCount")
    answer = f"deliveryCount is {text!r} after {deliveries} deliveries in the queue"
    match whole_number(text):
        case 1:
            return Seen(answer, ("restart",))
        case count if count == deliveries + 1:
            return Seen(answer, ("continue",))
    return Seen(answer)


def _created(first: Held, dead: Held, *, is_fifo: bool) -> Seen:
    try:
        before, after = (parsedate_to_datetime(str(_header(held, "created"))) for held in (first, dead))
    except ValueError:
        return Seen.nothing("created is not there, or is not a date")
    later = (after - before).total_seconds()
    kind = "FIFO" if is_fifo else "standard"
    if later == 0:
        return Seen(f"created is kept (in a {kind} queue)", ("keep",) if is_fifo else ("sqs", "keep"))
    return Seen(f"created is {later:.0f} s later (in a {kind} queue)", ("sqs", "reset") if is_fifo else ("reset",))


def _header(held: Held, name: str) -> object:
    headers = held.message.get("headers")
    return headers.get(name) if isinstance(headers, dict) else None
