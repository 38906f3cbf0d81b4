"""Secrets for a notebook to use, and a service that answers as badly as it can. Imported inside the kernel."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx

import courier_nb
from courier_nb import AsyncClient, Client
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.client import broker_settings
from courier_nb.wire import sender


class Vault:
    """Hands out planted secrets by a call: a tool that prints variables sees only this object."""

    def __init__(self) -> None:
        self._path = Path(os.environ["PLANTED"])

    def take(self, kind: str, number: int) -> str:
        return str(json.loads(self._path.read_text())[kind][number])

    def add(self, kind: str, secrets: list[str]) -> None:
        known = json.loads(self._path.read_text())
        known.setdefault(kind, []).extend(map(str, secrets))
        self._path.write_text(json.dumps(known))

    def count(self, kind: str) -> int:
        return len(json.loads(self._path.read_text())[kind])


sender._backoff = lambda state: 0.001  # type: ignore[assignment]  # a hundred failures in seconds
vault = Vault()
broker = LocalBroker(queues=[QueueConfig("queue", max_deliveries=1000), QueueConfig("other")])


class Failing(httpx.AsyncBaseTransport):
    """Reaches the broker until told how to fail."""

    def __init__(self) -> None:
        self._inner = broker.transport()
        self.failure: int | str | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        is_token = request.url.path.endswith(("/token", "/authorize"))
        if self.failure is None or (is_token and self.failure != "no token"):
            return await self._inner.handle_async_request(request)
        if self.failure == "reset":
            raise httpx.ReadError("Connection reset by peer", request=request)
        if self.failure in ("garbage", "no token"):
            return httpx.Response(200, content=b"<html>" + request.content[:300])
        echo = {"statusMessage": f"refused: {request.url} {request.content[:2000].decode('utf-8', 'replace')}"}
        return httpx.Response(int(self.failure), json=echo)


failing = Failing()


def clients() -> tuple[Client, AsyncClient]:
    """Return both faces, with the right credentials."""
    vault.add("client_secret", [broker.settings["client_secret"]])
    settings = broker_settings(broker.settings)
    return Client(settings, transport=failing), AsyncClient(settings, transport=failing)


def wrong(kind: str, number: int, url: str) -> Any:
    """Return a client with credentials that are not accepted."""
    names = {"client_id": "an-id"} if kind == "client_secret" else {"username": "a-user"} if kind == "password" else {}
    return courier_nb.connect(mq_url=url, **names, **{kind: vault.take(kind, number)})  # type: ignore[arg-type]
