"""Receives with odd parameters, and calls without a token."""

from __future__ import annotations

from courier_nb.doctor.bench import Bench
from courier_nb.doctor.probes.seen import Seen, is_refusal

_DEFAULT_POLL_SECONDS = 10
_EXCHANGE_STATUSES = (400, 404, 405)


async def zero_polling(bench: Bench) -> tuple[Seen, ...]:
    """What ``pollingTime=0`` means on an empty queue."""
    before = bench.pace.now()
    answer, held = await bench.receive(poll_ms=0)
    elapsed = bench.pace.now() - before
    if not answer.is_success or held:
        return (Seen.nothing(answer if not held else "a message of an earlier probe came"),)
    if elapsed < _DEFAULT_POLL_SECONDS / 2:
        return (Seen(f"answered after {elapsed:.1f} s", ("at-once",)),)
    return (Seen(f"answered after {elapsed:.1f} s", ("default",)),)


async def unknown_parameters(bench: Bench) -> tuple[Seen, ...]:
    """Whether a parameter that is not in the specification is ignored."""
    answer, _ = await bench.receive(poll_ms=1, poolingTime="1")
    if answer.is_success:
        return (Seen("ignored", ("ignore",)),)
    if is_refusal(answer.status):
        return (Seen("refused", ("refuse",)),)
    return (Seen.nothing(answer),)


async def hidden_body(bench: Bench) -> tuple[Seen, ...]:
    """What is under ``body`` when the payload is hidden."""
    sent = await bench.publish(bench.message())
    if not sent.is_done:
        return (Seen.nothing(sent),)
    answer, held = await bench.receive(payloadVisibility="none", poll_ms=3_000 + bench.subject.delay_ms)
    if not held:
        return (Seen.nothing(answer),)
    message = held[0].message
    headers = message.get("headers")
    hidden = headers.get("payloadHidden") if isinstance(headers, dict) else None
    also = f"; header payloadHidden={hidden!r}"
    if "body" not in message:
        return (Seen(f"there is no body{also}", ("absent",)),)
    if message["body"] is None:
        return (Seen(f"body is null{also}", ("null",)),)
    if message["body"] == "":
        return (Seen(f"body is an empty text{also}", ("empty",)),)
    return (Seen(f"the body is shown all the same{also}"),)


async def exchange_read_status(bench: Bench) -> tuple[Seen, ...]:
    """How a receive from an exchange is answered."""
    exchange = bench.subject.exchange or ""
    answer = await bench.call(
        "receive from exchange",
        "GET",
        "messages",
        params={"pollingTime": "1", "batchSize": "1", "lockTtl": "1000"},
        destination=exchange,
        poll_seconds=1,
    )
    if answer.status in _EXCHANGE_STATUSES:
        return (Seen(f"status {answer.status}", (answer.status,)),)
    if answer.status is None or answer.status in (401, 429) or answer.status >= 500:
        return (Seen.nothing(answer),)
    return (Seen(f"status {answer.status}"),)


async def anonymous(bench: Bench) -> tuple[Seen, ...]:
    """Whether a call without a token is answered: a nack with a lock that cannot be valid."""
    lock = {"messageId": "courier-nb-doctor-no-such-message", "lockId": "courier-nb-doctor-no-such-lock"}
    answer = await bench.call("nack without token", "DELETE", "messages/locks", [lock], anonymous=True)
    if answer.status in (401, 403):
        return (Seen(f"refused with {answer.status}", ("refuse",)),)
    if answer.is_success:
        return (Seen("answered", ("allow",)),)
    return (Seen.nothing(answer),)
