"""Publishing what the specification says nothing certain about."""

from __future__ import annotations

from courier_nb.doctor.bench import Bench
from courier_nb.doctor.caller import Answer
from courier_nb.doctor.probes.seen import Seen, is_refusal

SHORT_TTL_MS = 2_000
LONG_TTL_MS = 60_000
LARGE_BODY = 6_000_000
"""Characters: two of these are more than 10 MB, one is less, however it is counted."""

MOST_DELAY_SECONDS = 900
_DELAY_MS = 8_000


async def missing_message_id(bench: Bench) -> tuple[Seen, ...]:
    """Whether an item of a batch may leave out its ``messageId``."""
    answer = await bench.publish(bench.message(messageId=None))
    if answer.is_done:
        held = await bench.fetch()
        return (Seen(f"the service makes one up, of {len(held.id)} characters", ("generate",)),)
    return (_refused(answer),)


async def message_ttl(bench: Bench) -> tuple[Seen, ...]:
    """Whether the header ``ttl`` of a published message is honoured."""
    for ttl_ms in (SHORT_TTL_MS, LONG_TTL_MS):  # a short one may be below a minimum
        message = bench.message(ttl=ttl_ms)
        sent = await bench.publish(message)
        if not sent.is_done:
            return (Seen.nothing(f"a message with a ttl is not taken: {sent}"),)
        await bench.pace.sleep(ttl_ms / 1_000 + 3)
        message_id = message["headers"]["messageId"]
        if not await _is_there(bench, message_id):
            bench.forget(message_id)
            return (Seen(f"honoured: a message with a ttl of {ttl_ms // 1_000} s is gone afterwards", ("honour",)),)
    return (Seen(f"ignored: a message with a ttl of {LONG_TTL_MS // 1_000} s is still there afterwards", ("ignore",)),)


async def odd_property_values(bench: Bench) -> tuple[Seen, ...]:
    """Whether properties may be booleans and nulls."""
    said, taken = [], []
    for name, value in (("true", True), ("null", None)):
        answer = await bench.publish(bench.message(properties={"odd": value}))
        if answer.is_done:
            held = await bench.fetch()
            back = held.message.get("properties", {}).get("odd", "nothing")
            said.append(f"{name} comes back as {back!r}")
            await bench.ack(held)
        elif answer.is_success or is_refusal(answer.status):
            said.append(f"{name} is refused")
        else:
            return (Seen.nothing(answer),)
        taken.append(answer.is_done)
    if all(taken):
        return (Seen("; ".join(said), ("accept",)),)
    return (Seen("; ".join(said), () if any(taken) else ("refuse",)),)


async def fifo_message_delay(bench: Bench) -> tuple[Seen, ...]:
    """What becomes of ``deliveryDelay`` on a message for a FIFO queue."""
    message = bench.message(deliveryDelay=_DELAY_MS)
    before = bench.pace.now()
    answer = await bench.publish(message)
    if not answer.is_done:
        return (_refused(answer),)
    received, held = await bench.receive(poll_ms=3_000 + bench.subject.delay_ms)
    if any(one.id == message["headers"]["messageId"] for one in held):
        return (Seen(f"ignored: the message came after {bench.pace.now() - before:.1f} s", ("ignore",)),)
    if not received.is_success:
        return (Seen.nothing(received),)
    await bench.pace.sleep(_DELAY_MS / 1_000)
    await bench.fetch(message["headers"]["messageId"])
    return (Seen("honoured: the message came later"),)


async def delay_unit(bench: Bench) -> tuple[Seen, ...]:
    """The unit of a queue's ``defaultDeliveryDelay`` in the Admin API."""
    delay = bench.subject.default_delay or 0
    if delay > MOST_DELAY_SECONDS:
        return (Seen(f"milliseconds: {delay} s would be more than the 15 minutes that are possible", ("ms",)),)
    before = bench.pace.now()
    await bench.deliver()
    elapsed = bench.pace.now() - before
    if elapsed < delay - 0.5:
        return (Seen(f"milliseconds: with {delay} the message came after {elapsed:.1f} s", ("ms",)),)
    return (Seen(f"seconds: with {delay} the message came after {elapsed:.1f} s", ("s",)),)


async def size_limit_counts(bench: Bench) -> tuple[Seen, ...]:
    """Whether 10 MB is the limit of each message or of a whole batch."""
    body = "x" * LARGE_BODY
    both = await bench.publish(bench.message(body), bench.message(body))
    if both.is_done:
        for _ in range(2):
            _, held = await bench.receive(payloadVisibility="none", poll_ms=5_000)
            if held:
                await bench.ack(*held)
        return (Seen("two messages of 6 MB in one batch are taken", ("item",)),)
    if not both.is_success and not is_refusal(both.status):
        return (Seen.nothing(both),)
    one = await bench.publish(bench.message(body))
    if not one.is_done:
        return (Seen.nothing(f"one message of 6 MB is refused too: {one}"),)
    _, held = await bench.receive(payloadVisibility="none", poll_ms=5_000)
    if held:
        await bench.ack(*held)
    return (Seen("one message of 6 MB is taken, two in one batch are refused", ("batch",)),)


async def _is_there(bench: Bench, message_id: str) -> bool:
    for _ in range(2):  # one empty answer does not mean an empty queue
        _, held = await bench.receive(poll_ms=2_000)
        if any(one.id == message_id for one in held):
            await bench.ack(*held)
            return True
    return False


def _refused(answer: Answer) -> Seen:
    if answer.is_success or is_refusal(answer.status):
        return Seen("refused", ("refuse",))
    return Seen.nothing(answer)
