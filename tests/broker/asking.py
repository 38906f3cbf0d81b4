"""Asking the Accounts, Admin and Stats APIs, as somebody whose credentials a test chooses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from courier_nb.broker import LocalBroker

REGION = "us-east-1"
HERE = f"regions/{REGION}"
QUEUES = f"{HERE}/destinations/queues"
EXCHANGES = f"{HERE}/destinations/exchanges"
BINDINGS = f"{HERE}/bindings"


def binding(exchange: str, queue: str, rest: str = "") -> str:
    return f"{BINDINGS}/exchanges/{exchange}/queues/{queue}{rest}"


def refused(answer: httpx.Response, *parts: str) -> None:
    """Check that a request was refused as a bad one, and that the reason has these parts."""
    assert (answer.status_code, answer.json()["status"]) == (400, 400), answer.text
    for part in parts:
        assert part in answer.json()["message"]


class Asker:
    """Calls with a connected app's token, which is asked for again when it has expired."""

    def __init__(self, broker: LocalBroker, client: httpx.AsyncClient, credentials: dict[str, str] | None = None) -> None:
        self.broker = broker
        self.client = client
        self.settings = broker.settings
        self.credentials = credentials or {key: self.settings[key] for key in ("client_id", "client_secret")}
        self.token = ""

    async def authorize(self, path: str = "/accounts/api/v2/oauth2/token") -> None:
        fields = {**self.credentials, "grant_type": "client_credentials"}
        answer = await self.client.post(self.broker.platform_url + path, data=fields)
        self.token = answer.raise_for_status().json()["access_token"]

    async def call(self, method: str, path: str, value: Any = None, **more: Any) -> httpx.Response:
        content = None if value is None else json.dumps(value).encode()
        for _ in range(2):
            headers = {"Authorization": f"Bearer {self.token}"}
            answer = await self.client.request(
                method, self.broker.platform_url + path, headers=headers, **{"content": content, **more}
            )
            if answer.status_code != 401:
                break
            await self.authorize()
        return answer

    def place(self, environment: str | None = None) -> str:
        return f"/organizations/{self.settings['organization']}/environments/{environment or self.settings['environment']}"

    async def __call__(
        self,
        api: str,
        path: str,
        method: str = "GET",
        value: Any = None,
        *,
        version: str = "v1",
        environment: str | None = None,
        **more: Any,
    ) -> httpx.Response:
        """Ask Admin or Stats for a path below an environment."""
        place = f"/mq/{api}/api/{version}{self.place(environment)}"
        return await self.call(method, f"{place}/{path}" if path else place, value, **more)

    async def put(self, path: str, value: Any = None) -> Any:
        answer = await self("admin", path, "PUT", {} if value is None else value)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self("admin", path, params=params)
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.status_code == 200 else []


@asynccontextmanager
async def asking(broker: LocalBroker, credentials: dict[str, str] | None = None) -> AsyncIterator[Asker]:
    async with httpx.AsyncClient(transport=broker.transport()) as client:
        asker = Asker(broker, client, credentials)
        await asker.authorize()
        yield asker
