"""What becomes of a request that a fault strikes, and of its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from courier_nb.broker.api.accounts import UNAUTHORIZED
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.faults import Strike
from courier_nb.broker.api.polls import Polls, disconnected
from courier_nb.broker.api.web import TEXT, Disconnected, Receive, Refusal, Request, Response, Scope, Send, refused
from courier_nb.broker.config.faults import Fault
from courier_nb.broker.state.messages import Delivery
from courier_nb.broker.state.parking import NotYet
from courier_nb.broker.state.store import Store

CONNECTION = "courier_nb.connection"
"""The extension of the ASGI scope in which a door gives, as ``cut``, an async function that cuts the connection.

It is told whether the answer has begun; what was written of it then still arrives.
"""

Answering = Callable[[], Awaitable[Response]]

_STATUSES = {
    "forbidden": (403, "Forbidden"),
    "throttled": (429, "Too many requests"),
    "error": (500, "Internal server error"),
    "unavailable": (503, "Service unavailable"),
    "plain_text": (502, "Bad gateway"),
}
_WITHOUT_EFFECT = ("unauthorized", "forbidden", "throttled", "cut_before")
_NO_QUEUE = 0


@dataclass(frozen=True, slots=True)
class CutShort(Response):
    """An answer that does not arrive, or only in part: then the connection is cut.

    Attributes
    ----------
    arriving : int
        How many bytes of the body arrive; with 0 the status does not arrive either.
    """

    arriving: int = 0

    async def cut(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write what is to arrive, then cut the connection."""
        if self.arriving:
            await send(self.start())
            await send({"type": "http.response.body", "body": self.body[: self.arriving], "more_body": True})
        await scope["extensions"][CONNECTION]["cut"](bool(self.arriving))
        await disconnected(receive)  # the server takes the end of the answering before it for a mistake


class Striking:
    """Answers requests that are struck by a fault.

    Parameters
    ----------
    engine : Engine
    polls : Polls
        Of the same door.
    """

    def __init__(self, engine: Engine, polls: Polls) -> None:
        self._engine = engine
        self._polls = polls
        self._depths: dict[tuple[bytes, ...], tuple[float, Response]] = {}

    async def answer(self, strike: Strike, request: Request, answering: Answering) -> Response:
        """Answer a request.

        Parameters
        ----------
        strike : Strike
        request : Request
        answering : callable
            Does what is asked for and returns the true answer.
        """
        fault = strike.fault
        if fault is None:
            return await answering()
        if fault.kind in _WITHOUT_EFFECT or (fault.kind in _STATUSES and not fault.effect):
            await _read_all(request.receive)  # so that the client cannot tell by how far it got
            answer = Response(204)
        else:
            try:
                answer = await answering()
            except Refusal as refusal:
                answer = refused(request, refusal)
        return await self._bend(fault, request, answer)

    async def _bend(self, fault: Fault, request: Request, answer: Response) -> Response:
        match fault.kind:
            case "unauthorized":
                self._engine.tokens.end(request.header(b"authorization"))
                return UNAUTHORIZED
            case "plain_text":
                return _plain_text(fault)
            case "cut_before" | "cut_after":
                return CutShort(answer.status)
            case "truncated":
                return CutShort(answer.status, answer.body, answer.content_type, answer.headers, len(answer.body) // 2)
            case "delay":
                await self._wait(fault.seconds or 0.0, request.receive)
            case "stats_lag":
                return self._aged(fault.seconds or 0.0, request, answer)
            case kind if kind in _STATUSES:
                return _error(fault, request)
        return answer

    async def _wait(self, seconds: float, receive: Receive) -> None:
        """Wait by the broker's clock, as a long poll does, for a message that never comes."""
        deadline = self._engine.clock.monotonic() + seconds
        nothing: list[Delivery] = []

        def work(_: Store) -> NotYet[list[Delivery]]:
            return NotYet(_NO_QUEUE, None, deadline, nothing)

        await self._polls.wait(work, _leave, receive)

    def _aged(self, seconds: float, request: Request, answer: Response) -> Response:
        """Return the same answer for some time, if it is a live depth."""
        named = [segment for segment in request.segments if segment]  # there may be a slash at the end
        if request.method != "GET" or named[-1] != b"queues" or answer.status >= 300:
            return answer
        now = self._engine.clock.monotonic()
        question = (*named, request.query_string)
        self._depths = {known: aged for known, aged in self._depths.items() if now - aged[0] < seconds}
        return self._depths.setdefault(question, (now, answer))[1]


def _leave(store: Store, deliveries: list[Delivery]) -> None:
    """Nothing was received, so nothing is given back."""


def _plain_text(fault: Fault) -> Response:
    status, words = _STATUSES["plain_text"]
    body = words if fault.text is None else fault.text
    content_type = TEXT if fault.content_type is None else fault.content_type.encode("ascii")
    return Response(fault.status or status, body.encode("utf-8", "replace"), content_type)


def _error(fault: Fault, request: Request) -> Response:
    status, words = _STATUSES[fault.kind]
    retry_after = () if fault.retry_after is None else ((b"retry-after", b"%d" % fault.retry_after),)
    return refused(request, Refusal(status, words if fault.text is None else fault.text), retry_after)


async def _read_all(receive: Receive) -> None:
    """Take in what the client sends, to the end."""
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise Disconnected
        if not event.get("more_body", False):
            return
