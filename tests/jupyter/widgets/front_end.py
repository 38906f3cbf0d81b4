"""A front end without a browser: it hears what a widget says, and says what a page would."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson
from comm.base_comm import BaseComm


class FrontEnd(BaseComm):
    """Give it to a widget as its ``comm``.

    Attributes
    ----------
    heard : list of tuple
        Messages that are not state, each with its buffers.
    """

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, Any], list[bytes]]] = []
        super().__init__()

    def publish_msg(self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any) -> None:
        if data and data.get("method") == "custom":
            self.heard.append((data["content"], [bytes(buffer) for buffer in buffers or []]))

    def say(self, content: dict[str, Any], *buffers: bytes) -> None:
        """Send a message of a page to the widget."""
        message = {"content": {"data": {"method": "custom", "content": content}}, "buffers": [memoryview(b) for b in buffers]}
        self.handle_msg(message)

    def told(self, what: str) -> list[tuple[dict[str, Any], list[bytes]]]:
        """Return what was heard of a kind, in order."""
        return [(message, buffers) for message, buffers in self.heard if message.get("tell") == what]

    def wait(self, is_there: Callable[[], Any], seconds: float = 20) -> Any:
        """Return what `is_there` returns, as soon as that is something: threads of the widget may be at work on it."""
        end = time.monotonic() + seconds
        while not (found := is_there()):
            assert time.monotonic() < end, f"not heard within {seconds} s"
            time.sleep(0.01)
        return found

    def rows(self, total: int) -> dict[str, list[Any]]:
        """Return the cells by column once all rows have come, put together as a page does it."""
        self.wait(lambda: sum(message["count"] for message, _ in self.told("rows") if "columns" in message) >= total)
        cells: dict[str, list[Any]] = {}
        for message, buffers in self.told("rows"):
            for name, column in orjson.loads(buffers[0]).items():
                place = cells.setdefault(name, [None] * total)
                place[message["start"] : message["start"] + message["count"]] = column["cells"]
        return cells
