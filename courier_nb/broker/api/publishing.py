"""``PUT …/messages`` and ``PUT …/messages/{messageId}``: publish to a queue or an exchange."""

from __future__ import annotations

from itertools import compress

from courier_nb.broker.api import incoming, outgoing
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.incoming import MAX_BODY_BYTES, MAX_REQUEST_BYTES
from courier_nb.broker.api.target import Target
from courier_nb.broker.api.web import Refusal, Request, Response
from courier_nb.broker.state.messages import NewMessage


class Publishing:
    """Answers publishing, of one message or a batch."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._switches = engine.config.switches

    async def publish_batch(self, request: Request, target: Target) -> Response:
        """Store up to ten messages, or none of them."""
        try:
            items = incoming.read_batch(await request.body(MAX_REQUEST_BYTES))
        except Refusal as refusal:
            if refusal.status == 413:  # what was not read has no ids
                return Response(413, b"[%s]" % outgoing.result_json(b'""', False, outgoing.TOO_LARGE))
            raise
        messages = [incoming.read_message(item, self._switches) for item in items]
        too_large = self._too_large(messages)
        if any(too_large):
            return Response(413, _refused_batch(messages, too_large))
        failing = target.strike.failing(len(messages))
        done = [number not in failing for number in range(len(messages))]
        await self._store(target, list(compress(messages, done)))
        return outgoing.results([message.id for message in messages], done, outgoing.SENT, target.strike.item_text)

    async def publish(self, request: Request, target: Target) -> Response:
        """Store one message, whose id is in the path."""
        message_id = incoming.id_fragment(target.message_id)
        too_large = Response(413, outgoing.result_json(message_id, False, outgoing.TOO_LARGE))
        try:
            item = incoming.read_object(await request.body(MAX_REQUEST_BYTES))
        except Refusal as refusal:
            if refusal.status == 413:
                return too_large
            raise
        message = incoming.read_message(item, self._switches, target.message_id)
        if message.size > MAX_BODY_BYTES:
            return too_large
        await self._store(target, [message])
        return Response(201, outgoing.result_json(message_id, True, outgoing.SENT))

    async def _store(self, target: Target, messages: list[NewMessage]) -> None:
        await self._engine.committer.submit(lambda store: store.publish(target.at, messages))
        self._engine.meter.add(target.at.environment, size=sum(message.size for message in messages))

    def _too_large(self, messages: list[NewMessage]) -> list[bool]:
        if self._switches.size_limit_counts == "batch":
            return [sum(message.size for message in messages) > MAX_BODY_BYTES] * len(messages)
        return [message.size > MAX_BODY_BYTES for message in messages]


def _refused_batch(messages: list[NewMessage], too_large: list[bool]) -> bytes:
    """Return the item results of a batch of which nothing was stored because something in it is too large."""
    return b"[%s]" % b",".join(
        outgoing.result_json(message.id, False, outgoing.TOO_LARGE if is_large else "Not sent: another item is too large")
        for message, is_large in zip(messages, too_large, strict=True)
    )
