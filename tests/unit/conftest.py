"""Scripted answers, messages and captures for tests of one module at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from courier_nb.core.settings import Settings
from courier_nb.storage.layout import Layout, create_layout
from courier_nb.wire.operations import Operations
from courier_nb.wire.sender import Sender
from tests.unit.scripts import Script, operations_over


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def script() -> Script:
    """Answers every call as told and keeps the requests."""
    return Script()


@pytest.fixture
async def sender(script: Script, anyio_backend: str) -> AsyncIterator[Sender]:
    async with httpx.AsyncClient(transport=script.transport) as http:
        yield Sender(http)


@pytest.fixture
def settings() -> Settings:
    return Settings(
        auth="auto",
        platform_url="https://platform.test",
        mq_url="https://mq.test/api/v1",
        client_id="app-id",
        client_secret="app-secret",
        sources={"client_secret": "keyword"},
    )


@pytest.fixture
def operations(script: Script) -> Operations:
    return operations_over(script.transport)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return create_layout(tmp_path / "capture")
