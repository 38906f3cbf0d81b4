"""The ten operations of the broker API but `authorize`: which one a request is for, and who may ask for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.polls import Polls
from courier_nb.broker.api.publishing import Publishing
from courier_nb.broker.api.receiving import Receiving
from courier_nb.broker.api.settling import Settling
from courier_nb.broker.api.striking import Striking
from courier_nb.broker.api.target import Target
from courier_nb.broker.api.tokens import Principal
from courier_nb.broker.api.web import Refusal, Request, Response, decode_name, decode_segment
from courier_nb.broker.config.access import PUBLISH, SUBSCRIBE
from courier_nb.broker.state.errors import NotAQueue, Unacceptable, UnknownDestination
from courier_nb.broker.state.queues import Address

_Handler = Callable[[Request, Target], Awaitable[Response]]

_WITHOUT_BODY = ("receive", "nack")


class Operation(NamedTuple):
    """One of the ten operations.

    Attributes
    ----------
    name : str
    scope : str
        What a connected app must have been granted. Lock changes are publishing, says the vendor's documentation.
    handler : callable
    """

    name: str
    scope: str
    handler: _Handler


class Courier:
    """Answers the broker API."""

    def __init__(self, engine: Engine, polls: Polls, striking: Striking) -> None:
        self._engine = engine
        self._striking = striking
        receiving, publishing, settling = Receiving(engine, polls), Publishing(engine), Settling(engine)
        self._on_messages = {
            "GET": Operation("receive", SUBSCRIBE, receiving.receive),
            "PUT": Operation("publish_batch", PUBLISH, publishing.publish_batch),
            "DELETE": Operation("ack_batch", SUBSCRIBE, settling.ack_batch),
        }
        self._on_locks = {
            "PATCH": Operation("extend_batch", PUBLISH, settling.extend_batch),
            "DELETE": Operation("nack_batch", SUBSCRIBE, settling.nack_batch),
        }
        self._on_message = {
            "PUT": Operation("publish", PUBLISH, publishing.publish),
            "DELETE": Operation("ack", SUBSCRIBE, settling.ack),
        }
        self._on_lock = {
            "PATCH": Operation("extend", PUBLISH, settling.extend),
            "DELETE": Operation("nack", SUBSCRIBE, settling.nack),
        }

    async def answer(self, request: Request, principal: Principal) -> Response:
        """Answer a request below ``/api/v1/organizations``.

        Parameters
        ----------
        request : Request
        principal : Principal
            Whom its token stands for.
        """
        match request.segments[2:]:
            case [b"organizations", org, b"environments", env, b"destinations", destination, b"messages", *rest]:
                environment = self._engine.environment(decode_segment(org), decode_segment(env))
            case _:
                raise Refusal(404, "Resource not found")
        if environment is None or not principal.may_enter(environment.pk):
            raise Refusal(403, "Forbidden")
        operation, target = self._route(request.method, Address(environment.pk, decode_name(destination)), rest)
        if operation.scope not in principal.scopes:
            raise Refusal(403, "Forbidden")
        self._engine.meter.add(environment.pk, requests=1)
        await self._engine.limits.admit_message_call(target.at)
        strike = self._engine.faults.strike(operation.name, target.at.id)
        if strike is None:
            return await self._do(operation, request, target)
        struck = replace(target, strike=strike)
        return await self._striking.answer(strike, request, partial(self._do, operation, request, struck))

    async def _do(self, operation: Operation, request: Request, target: Target) -> Response:
        if operation.name not in _WITHOUT_BODY:
            _check_content_type(request)
        try:
            return await operation.handler(request, target)
        except UnknownDestination:
            raise Refusal(404, "Destination not found") from None
        except NotAQueue:
            raise Refusal(self._engine.config.switches.exchange_read_status, "The destination should be a queue.") from None
        except Unacceptable as error:
            raise Refusal(400, str(error)) from None

    def _route(self, method: str, at: Address, rest: list[bytes]) -> tuple[Operation, Target]:
        match rest:
            case []:
                operations, target = self._on_messages, Target(at)
            case [b"locks"] if method != "PUT":  # the id of a message to be published may be "locks"
                operations, target = self._on_locks, Target(at)
            case [message_id]:
                operations, target = self._on_message, Target(at, decode_segment(message_id))
            case [message_id, b"locks", lock]:
                operations, target = self._on_lock, Target(at, decode_segment(message_id), decode_segment(lock))
            case _:
                raise Refusal(404, "Resource not found")
        if method not in operations:
            raise Refusal(405, f"{method} is not possible here: use {' or '.join(operations)}.", allow=tuple(operations))
        return operations[method], target


def _check_content_type(request: Request) -> None:
    """Refuse what says of itself that it is not JSON."""
    media_type = request.header(b"content-type").partition(";")[0].strip().lower()
    if media_type and media_type != "application/json" and not media_type.endswith("+json"):
        raise Refusal(400, "The content type must be application/json.")
