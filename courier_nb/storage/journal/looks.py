"""How often this user has received from a destination, counted from the journal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

_ACKS = ("ack_batch", "ack_one")


@dataclass(frozen=True, slots=True)
class Looks:
    """Earlier looks at a destination.

    Attributes
    ----------
    receive_calls : int
        Receive calls made, whatever they brought.
    peeks : int
        Runs of ``peek``.
    received : mapping of str to int
        Message id -> how many of those calls brought it. A message that was acknowledged since is left out.
    delivery_counts : mapping of str to int
        Message id -> the highest delivery count it was seen with.
    """

    receive_calls: int = 0
    peeks: int = 0
    received: Mapping[str, int] = field(default_factory=dict)
    delivery_counts: Mapping[str, int] = field(default_factory=dict)


class LookCounter:
    """Counts the looks at one destination, reading each file once, as it grows.

    Parameters
    ----------
    environment, destination : str
    """

    def __init__(self, environment: str, destination: str) -> None:
        self._environment = environment
        self._destination = destination
        self._markers = (json.dumps(environment).encode(), json.dumps(destination).encode())
        self._read_to: dict[Path, int] = {}
        self._calls: list[datetime] = []
        self._peeks: dict[str, datetime] = {}
        self._received: dict[str, list[tuple[datetime, int]]] = {}
        self._acking: dict[str, list[str]] = {}

    def read(self, path: Path) -> None:
        """Read what has been added to a file."""
        start = self._read_to.get(path, 0)
        with path.open("rb") as file:
            file.seek(start)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # somebody is writing it
                start += len(line)
                if all(marker in line for marker in self._markers):
                    self._count(line)
        self._read_to[path] = start

    def looks(self, since: datetime) -> Looks:
        """Return what was counted from `since` on; what is older is forgotten."""
        self._calls = [at for at in self._calls if at >= since]
        self._peeks = {run: at for run, at in self._peeks.items() if at >= since}
        recent = {id_: [item for item in times if item[0] >= since] for id_, times in self._received.items()}
        self._received = {id_: times for id_, times in recent.items() if times}
        return Looks(
            len(self._calls),
            len(self._peeks),
            {id_: len(times) for id_, times in self._received.items()},
            {id_: max(count for _, count in times) for id_, times in self._received.items()},
        )

    def _count(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            if entry["environment"] == self._environment and entry["destination"] == self._destination:
                self._note(entry, datetime.fromisoformat(entry["at"]))
        except (ValueError, KeyError, TypeError):
            return  # a damaged line: verify() names it

    def _note(self, entry: Mapping[str, Any], at: datetime) -> None:
        match entry["kind"], entry.get("operation"):
            case "begin", _ if entry["verb"] == "peek":
                self._peeks[entry["run"]] = at
            case "call", "receive":
                self._calls.append(at)
            case "answer", "receive":
                for message_id, count in entry.get("received", ()):
                    if message_id is not None:
                        self._received.setdefault(message_id, []).append((at, count or 0))
            case "call", operation if operation in _ACKS:
                self._acking[entry["call"]] = entry["ids"]
            case "answer", operation if operation in _ACKS:
                asked = self._acking.pop(entry["call"], [])
                if entry["outcome"] in ("ok", "partly"):
                    failed = set(entry.get("failed", ()))
                    for message_id in asked:
                        if message_id not in failed:
                            self._received.pop(message_id, None)
