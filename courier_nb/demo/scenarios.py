"""What the demonstration is about: messages, a consumer that fails on some of them, and how to mend one group."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from courier_nb.core.errors import ConfigError
from courier_nb.core.messages import Message
from courier_nb.storage.foreign.jsonl import is_jsonl, read_jsonl

ORDERS = 400
_SKUS = ("TEA-GREEN-250", "TEA-BLACK-500", "MUG-BLUE", "MUG-WHITE", "FILTER-100", "KETTLE-1L")
_SOURCES = ("web", "app", "partner-feed", "call-centre")


class Scenario(Protocol):
    """A backlog and its troubles.

    Attributes
    ----------
    messages : sequence of Message
    label_call, repair_call : str
        The Python that `label` and `repair` are, to be shown.
    """

    @property
    def messages(self) -> Sequence[Message]: ...

    @property
    def label_call(self) -> str: ...

    @property
    def repair_call(self) -> str: ...

    def fault(self, message: Message) -> str | None:
        """Why the consumer fails on this message, or None."""
        ...

    def label(self, frame: pd.DataFrame) -> pd.Series[str]:
        """What is wrong with each dead letter, as far as its content tells."""
        ...

    def repair(self, frame: pd.DataFrame) -> pd.DataFrame:
        """One group, mended."""
        ...


class Orders:
    """Orders of a shop. The partner feed forgets the currency, writes totals with a comma, and loses customers."""

    label_call = 'dead["body"].map(json.loads).map(what_is_wrong)'
    repair_call = 'add_currency(dead[wrong == "currency missing"])'

    def __init__(self, count: int = ORDERS, seed: int = 7) -> None:
        dice = random.Random(seed)  # noqa: S311  # a backlog that is the same each time
        start = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)
        self.messages = [_order(dice, number, start + timedelta(seconds=31 * number)) for number in range(1, count + 1)]

    def fault(self, message: Message) -> str | None:
        found = what_is_wrong(json.loads(message.body or "null"))
        return None if found == "nothing" else found

    def label(self, frame: pd.DataFrame) -> pd.Series[str]:
        return frame["body"].map(json.loads).map(what_is_wrong)

    def repair(self, frame: pd.DataFrame) -> pd.DataFrame:
        group = frame[self.label(frame) == "currency missing"].copy()
        group["body"] = [json.dumps({**json.loads(body), "currency": "EUR"}) for body in group["body"]]
        return group


def what_is_wrong(order: dict[str, Any]) -> str:
    """Return what the shop's consumer stumbles over, or ``"nothing"``."""
    if "currency" not in order:
        return "currency missing"
    if not isinstance(order["total"], int | float):
        return "total is not a number"
    return "nothing" if order["customer"] else "customer unknown"


class RealMessages:
    """Messages of the user's own, of which a consumer refuses some kinds as if it did not know them yet."""

    repair_call = "mark_as_handled(dead[wrong == wrong.value_counts().idxmax()])"

    def __init__(self, path: Path) -> None:
        self.messages = [_with_id(message, number) for number, message in enumerate(_read(path))]
        if not self.messages:
            raise ConfigError(f"{path} holds no messages.", setting="messages")
        self._property = _telling_property(self.messages)
        kinds = Counter(self._kind(message.properties) for message in self.messages)
        self._refused = {kind for kind, _ in sorted(kinds.items(), key=lambda item: (-item[1], item[0]))[1::4]} or set(kinds)
        self.label_call = f'"no handler for " + dead["prop.{self._property}"]' if self._property else '"refused"'

    def fault(self, message: Message) -> str | None:
        kind = self._kind(message.properties)
        is_handled = message.properties.get("handled") == 1
        return f"no handler for {kind}" if kind in self._refused and not is_handled else None

    def label(self, frame: pd.DataFrame) -> pd.Series[str]:
        name = f"prop.{self._property}"
        kinds = frame[name].fillna("(none)") if name in frame else pd.Series("(none)", index=frame.index)
        return "no handler for " + kinds.astype("str")

    def repair(self, frame: pd.DataFrame) -> pd.DataFrame:
        labels = self.label(frame)
        group = frame[labels == labels.value_counts().idxmax()].copy()
        group["prop.handled"] = 1
        return group

    def _kind(self, properties: Any) -> str:
        return str(properties.get(self._property, "(none)"))


def _order(dice: random.Random, number: int, at: datetime) -> Message:
    source = dice.choice(_SOURCES)
    lines = [{"sku": dice.choice(_SKUS), "quantity": dice.randint(1, 4)} for _ in range(dice.randint(1, 3))]
    order: dict[str, Any] = {
        "order": f"SO-{100000 + number}",
        "placed_at": at.isoformat(),
        "customer": {"id": dice.randint(1000, 9999), "country": dice.choice(["DE", "FR", "ES", "NL"])},
        "currency": "EUR",
        "total": round(dice.uniform(8, 240), 2),
        "lines": lines,
    }
    if source == "partner-feed":
        fault = dice.random()
        if fault < 0.4:
            del order["currency"]
        elif fault < 0.6:
            order["total"] = str(order["total"]).replace(".", ",")
        elif fault < 0.75:
            order["customer"] = None
    properties = {
        "contentType": "application/json; charset=UTF-8",
        "event": dice.choice(["order.created", "order.created", "order.changed"]),
        "source": source,
        "priority": dice.randint(1, 3),
    }
    return Message(json.dumps(order), properties, {"messageId": f"order-{number:05d}"})


def _read(path: Path) -> Iterable[Message]:
    files = sorted(file for file in path.iterdir() if is_jsonl(file)) if path.is_dir() else [path]
    for file in files:
        yield from read_jsonl(file)


def _with_id(message: Message, number: int) -> Message:
    # The embedded broker of the demonstration has standard queues, so a message group would only be carried along.
    return Message(message.body, message.properties, {**message.headers, "messageId": message.message_id or f"message-{number}"})


def _telling_property(messages: Sequence[Message]) -> str:
    """Return the text property that divides the messages best: often there, with a handful of values."""
    values: dict[str, Counter[str]] = {}
    for message in messages:
        for name, value in message.properties.items():
            if isinstance(value, str):
                values.setdefault(name, Counter())[value] += 1
    candidates = {name: count for name, count in values.items() if 2 <= len(count) <= 80}
    return max(candidates, key=lambda name: (candidates[name].total(), len(candidates[name])), default="")
