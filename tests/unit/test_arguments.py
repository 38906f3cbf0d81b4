"""Arguments of the wrong type: one clear error, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import courier_nb
from courier_nb import Client, InvalidArgument

CASES: list[tuple[str, str, Callable[[Client, Any], object]]] = [
    ("destination is 5, expected the name", "destination", lambda c, q: c.destination(5)),
    ("destination is None, expected the name", "destination", lambda c, q: c.destination(None)),
    ("to is 5, expected the name", "move", lambda c, q: q.move(5)),
    ("destination is 5, expected the name", "replay", lambda c, q: c.replay([], to=5)),
    ("'3', expected a whole number", "peek", lambda c, q: q.peek("3")),
    ("None, expected a whole number", "peek", lambda c, q: q.peek(None)),
    ("True, expected a whole number", "receive", lambda c, q: q.receive(True)),
    ("2.5, expected a whole number", "receive", lambda c, q: q.receive(2.5)),
    ("0; at least 1 is needed", "peek", lambda c, q: q.peek(0)),
    ("'3', expected a whole number", "look_cost", lambda c, q: q.look_cost("3")),
    ("'3', expected a whole number", "drain", lambda c, q: q.drain(limit="3")),
    ("empties is '2', expected a whole number", "peek", lambda c, q: q.peek(1, empties="2")),
    ("concurrency is '2', expected a whole number", "receive", lambda c, q: q.receive(1, concurrency="2")),
    ("max_deliveries is '3', expected a whole number", "peek", lambda c, q: q.peek(1, max_deliveries="3")),
    ("int was given; messages", "ack", lambda c, q: q.ack(5)),
    ("int was given; messages", "publish", lambda c, q: q.publish(5)),
    ("int was given; messages", "replay", lambda c, q: q.replay(5)),
]


@pytest.mark.parametrize(("words", "verb", "call"), CASES, ids=[f"{verb}: {words}" for words, verb, _ in CASES])
def test_a_wrong_type_is_one_error_that_names_it(words: str, verb: str, call: Callable[[Client, Any], object]) -> None:
    with courier_nb.connect("local") as client:
        with pytest.raises(InvalidArgument) as caught:
            call(client, client.destination("orders"))
        assert words in str(caught.value)
