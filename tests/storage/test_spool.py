"""What a killed process leaves in a spool."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from courier_nb import CaptureDamaged
from courier_nb.storage.layout import Layout
from courier_nb.storage.spool import answer_record, read_spool

from .conftest import delivery


def ids(layout: Layout, stem: str) -> list[str | None]:
    return [m.message_id for answer in read_spool(layout.spool(stem)) for m in answer.messages]


def test_answers_come_back_with_what_became_of_them(layout: Layout, write_spool: Callable[..., str]) -> None:
    stem = write_spool((delivery("a", "b"), ["acked", "unknown"]), (delivery("c"), None))
    answers = list(read_spool(layout.spool(stem)))
    assert [answer.settlements for answer in answers] == [["acked", "unknown"], None]
    assert [m.body for answer in answers for m in answer.messages] == ["a body"] * 3


def test_a_record_that_is_torn_at_any_byte_is_left_out_and_nothing_else_is(
    layout: Layout, write_spool: Callable[..., str]
) -> None:
    stem = write_spool((delivery("a"), ["acked"]), (delivery("b"), None))
    path = layout.spool(stem)
    whole = path.read_bytes()
    last = len(answer_record(delivery("b")))
    for cut in range(1, last):
        path.write_bytes(whole[:-cut])
        assert ids(layout, stem) == ["a"]
    path.write_bytes(whole)
    assert ids(layout, stem) == ["a", "b"]


def test_a_flipped_byte_before_the_last_record_is_named_as_damage(layout: Layout, write_spool: Callable[..., str]) -> None:
    stem = write_spool((delivery("a"), None), (delivery("b"), None))
    path = layout.spool(stem)
    whole = bytearray(path.read_bytes())
    first = len(answer_record(delivery("a")))
    for place in [*range(4), *range(13, first, 7)]:  # its mark and its content
        damaged = whole.copy()
        damaged[place] ^= 0x20
        path.write_bytes(damaged)
        with pytest.raises(CaptureDamaged) as caught:
            ids(layout, stem)
        assert caught.value.path == path
