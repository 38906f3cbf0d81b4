"""What is recorded, when, and what happens when it cannot be."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from courier_nb import AsyncClient, AsyncDestination, Forbidden, Journal, JournalUnwritable, Message
from courier_nb.broker import LocalBroker
from courier_nb.client import broker_settings
from courier_nb.storage import disk

from .conftest import QUICK, Watched, lines, messages

pytestmark = pytest.mark.anyio


async def use_every_verb(queue: AsyncDestination, to: Path) -> None:
    await queue.publish(messages(25), progress=False)
    received = await queue.receive(20, **QUICK)
    await queue.extend(received.frame(), "3m", progress=False)
    await queue.ack(received.frame().head(10), progress=False)
    await queue.nack(received.frame().tail(10), progress=False)
    await queue.peek(3, **QUICK)
    await queue.drain(to, **QUICK)


async def test_every_verb_leaves_a_run_with_its_beginning_its_calls_and_its_end(
    client: AsyncClient, queue: AsyncDestination, folder: Path, tmp_path: Path
) -> None:
    await use_every_verb(queue, tmp_path / "capture")
    runs = Journal(folder).runs()
    assert list(runs["verb"]) == ["publish", "receive", "extend", "ack", "nack", "peek", "drain"]
    assert list(runs["outcomes"])[:1] + list(runs["outcomes"])[2:5] == ["25 ok", "20 ok", "10 ok", "10 ok"]
    assert runs["ended"].notna().all()
    assert runs["error"].isna().all()
    drained = runs.iloc[-1]
    assert (drained["destination"], drained["capture"]) == ("queue", str(tmp_path / "capture"))
    assert drained["outcomes"] == "15 acked"
    assert drained["calls"] >= 4
    assert drained["pid"] == os.getpid()
    begin = lines(folder)[0]
    place = (await client._connection.operations()).place
    assert (begin["environment"], begin["organization"], begin["broker"]) == (place.environment, place.organization, "127.0.0.1")
    assert begin["client"] == client.settings.client_id[-4:]  # type: ignore[index]
    frame = Journal(folder).frame()
    joined = frame[frame["kind"] == "call"].merge(frame[frame["kind"] == "answer"], on="call")
    assert len(joined) == (frame["kind"] == "call").sum() == (frame["kind"] == "answer").sum()
    assert Journal(folder).verify().ok


async def test_the_nine_operations_are_recorded_without_a_run(queue: AsyncDestination, folder: Path) -> None:
    await queue.publish_batch(messages(2))
    await queue.publish_one(messages(1, start=2)[0])
    got = await queue.receive_batch(batch_size=10, polling_time="20ms")
    locks = [(str(m.message_id), str(m.lock_id)) for m in got]
    await queue.extend_batch(locks, "2m")
    await queue.extend_one(*locks[0], "2m")
    await queue.nack_batch(locks[:1])
    await queue.nack_one(*locks[1])
    await queue.ack_one(*locks[2])
    got = await queue.receive_batch(batch_size=10, polling_time="20ms")
    await queue.ack_batch([(str(m.message_id), str(m.lock_id)) for m in got])
    await queue._connection.aclose()
    calls = [line for line in lines(folder) if line["kind"] == "call"]
    answers = {line["call"]: line for line in lines(folder) if line["kind"] == "answer"}
    assert [call["operation"] for call in calls] == [
        *("publish_batch", "publish_one", "receive", "extend_batch", "extend_one"),
        *("nack_batch", "nack_one", "ack_one", "receive", "ack_batch"),
    ]
    assert {call["run"] for call in calls} == {None}
    assert calls[0]["ids"] == ["m0", "m1"]
    assert calls[2]["asked"] == 10
    assert answers[calls[2]["call"]]["received"] == [["m0", 1], ["m1", 1], ["m2", 1]]
    assert [count for _, count in answers[calls[8]["call"]]["received"]] == [2, 2]


async def test_each_call_is_in_the_file_when_its_request_leaves(
    queue: AsyncDestination, transport: Watched, folder: Path, tmp_path: Path
) -> None:
    found: list[tuple[str, bool]] = []

    def look(request: httpx.Request) -> None:
        calls = sum(line["kind"] == "call" for line in lines(folder))
        found.append((request.method, calls > len(found)))

    transport.look = look
    await use_every_verb(queue, tmp_path / "capture")
    assert {method for method, _ in found} == {"GET", "PUT", "DELETE", "PATCH"}
    assert all(is_recorded for _, is_recorded in found)


async def test_publish_and_ack_are_flushed_before_they_are_sent(
    queue: AsyncDestination, transport: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    flush = disk.flush

    def noted(descriptor: int) -> None:
        flush(descriptor)
        order.append("flush")

    monkeypatch.setattr(disk, "flush", noted)
    transport.look = lambda request: order.append(request.method)
    await queue.publish_batch(messages(1))
    got = await queue.receive_batch(polling_time="20ms")
    assert order == ["flush", "PUT", "GET"]
    await queue.ack_batch([(str(got[0].message_id), str(got[0].lock_id))])
    assert order == ["flush", "PUT", "GET", "flush", "DELETE"]


async def test_an_answer_is_written_soon_although_nothing_follows(queue: AsyncDestination, folder: Path) -> None:
    await queue.publish_batch(messages(1))
    ends = time.monotonic() + 30
    while lines(folder)[-1]["kind"] != "answer" and time.monotonic() < ends:
        await asyncio.sleep(0.02)
    assert [line["kind"] for line in lines(folder)] == ["call", "answer"]


SECRETS = {"body": "planted-body", "property": "planted-property", "name": "planted-name", "reason": "planted-reason"}


async def test_no_body_property_lock_token_or_secret_is_recorded(
    client: AsyncClient, queue: AsyncDestination, transport: Watched, folder: Path, tmp_path: Path
) -> None:
    planted = [
        Message(f"{SECRETS['body']} {i}", {SECRETS["name"]: SECRETS["property"]}, {"messageId": f"m{i}"}) for i in range(30)
    ]
    await queue.publish(planted, progress=False)
    held = await queue.receive(20, **QUICK)
    locks = [str(message.lock_id) for message in held.messages]
    await queue.ack(held.frame().head(5), progress=False)
    await queue.nack_batch([(str(m.message_id), str(m.lock_id)) for m in held.messages[5:10]])
    said = {"statusMessage": f"{SECRETS['reason']} {locks[11]}", "status": "failed", "messageId": "m11"}
    transport.look = lambda request: httpx.Response(200, json=[said]) if request.method == "PATCH" else None
    await queue.extend(held.frame().tail(5), "2m", progress=False)
    transport.look = lambda request: httpx.Response(403, json=said) if request.method == "DELETE" else None
    with pytest.raises(Forbidden):
        await queue.ack(held.frame().tail(5), progress=False)
    transport.look = lambda request: None
    await queue.drain(tmp_path / "capture", **QUICK)
    token = await client.authorize()
    content = b"".join(path.read_bytes() for path in folder.iterdir()).decode()
    assert '"m11"' in content
    secrets = [*SECRETS.values(), *locks, str(client.settings.client_secret), str(client.settings.client_id), token.value]
    assert [secret for secret in secrets if secret in content] == []


async def test_a_run_that_fails_or_is_interrupted_has_an_end_that_says_so(
    queue: AsyncDestination, transport: Watched, folder: Path, tmp_path: Path
) -> None:
    await queue.publish(messages(30), progress=False)
    transport.look = lambda request: httpx.Response(403) if request.method == "DELETE" else None
    with pytest.raises(Forbidden):
        await queue.drain(tmp_path / "capture", **QUICK)
    transport.look = lambda request: None
    with anyio.move_on_after(0.3) as scope:
        await queue.drain(tmp_path / "capture2", empties=None, **QUICK)
    assert scope.cancelled_caught
    failed, interrupted = (run for _, run in Journal(folder).runs(verb="drain").iterrows())
    assert failed["error"] == "Forbidden"
    assert "received" in failed["outcomes"]
    assert interrupted["error"] == "CancelledError"
    assert interrupted["seconds"] > 0


async def test_a_refusal_is_recorded_with_class_and_status(queue: AsyncDestination, transport: Watched, folder: Path) -> None:
    transport.look = lambda request: httpx.Response(404)
    with pytest.raises(Exception, match="404"):
        await queue.publish_batch(messages(1))
    transport.look = lambda request: (_ for _ in ()).throw(httpx.ReadTimeout("slow"))
    with pytest.raises(Exception, match="no complete answer"):
        await queue.publish_batch(messages(1))
    await queue._connection.aclose()
    answers = [line for line in lines(folder) if line["kind"] == "answer"]
    assert [(a["outcome"], a["error"], a["status"]) for a in answers] == [
        ("refused", "DestinationNotFound", 404),
        ("unknown", "Unreachable", None),
    ]


# When it cannot be written


def fill_the_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def refuse(descriptor: int, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk, "write_all", refuse)
    return monkeypatch.undo


async def test_what_deletes_adds_or_takes_is_refused_and_what_gives_back_goes_on(
    queue: AsyncDestination, transport: Watched, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await queue.publish(messages(20), progress=False)
    held = await queue.receive(10, **QUICK)
    rows = held.frame()
    mend = fill_the_disk(folder, monkeypatch)
    sent: list[str] = []
    transport.look = lambda request: sent.append(request.method)
    refused: list[Callable[[], Any]] = [
        lambda: queue.publish(messages(1), progress=False),
        lambda: queue.publish_batch(messages(1)),
        lambda: queue.receive(1, **QUICK),
        lambda: queue.receive_batch(),
        lambda: queue.peek(1, **QUICK),
        lambda: queue.ack(rows, progress=False),
        lambda: queue.drain(tmp_path / "c", **QUICK),
    ]
    for call in refused:
        with pytest.raises(JournalUnwritable, match="journal='off'") as caught:
            await call()
        assert caught.value.setting == "journal"
        assert str(folder) in str(caught.value)
    assert sent == []
    assert (await queue.extend(rows, "2m", progress=False)).ok
    assert (await queue.nack(rows, progress=False)).ok
    assert sent == ["PATCH", "DELETE"]
    mend()
    transport.look = lambda request: None
    assert (await queue.publish(messages(1, start=50), progress=False)).ok
    assert Journal(folder).verify().ok


async def test_a_flush_that_fails_refuses_the_ack_and_the_next_one_is_tried_again(
    queue: AsyncDestination, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(disk, "flush", fail)
    with pytest.raises(JournalUnwritable, match="Input/output error"):
        await queue.publish_batch(messages(1))
    monkeypatch.undo()
    await queue.publish_batch(messages(1))
    assert Journal(folder).verify().ok


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
async def test_a_home_that_may_not_be_written_is_named_with_the_setting(broker: LocalBroker, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    await refused_in(broker, tmp_path / "state" / "journal")


async def test_a_folder_that_is_a_file_is_named_with_the_setting(broker: LocalBroker, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a folder")
    await refused_in(broker, tmp_path / "state" / "journal")


async def refused_in(broker: LocalBroker, folder: Path) -> None:
    settings = replace(broker_settings(broker.settings), journal=str(folder))
    async with AsyncClient(settings, transport=broker.transport()) as client:
        with pytest.raises(JournalUnwritable, match="ANYPOINT_MQ_JOURNAL"):
            await client.destination("queue").publish(messages(1), progress=False)


# Where it is


async def test_off_keeps_no_journal_and_the_client_says_so(broker: LocalBroker, state_of_its_own: Path) -> None:
    settings = replace(broker_settings(broker.settings), journal="off")
    async with AsyncClient(settings, transport=broker.transport()) as client:
        await client.destination("queue").publish(messages(1), progress=False)
        assert client.journal is None
        assert "no journal" in repr(client)
    assert not (state_of_its_own / "state").exists()


async def test_by_default_it_is_in_the_user_s_state_folder(broker: LocalBroker, state_of_its_own: Path) -> None:
    async with AsyncClient(broker_settings(broker.settings), transport=broker.transport()) as client:
        await client.destination("queue").publish(messages(1), progress=False)
        assert client.journal is not None
        assert client.journal.folder == state_of_its_own / "state" / "courier_nb" / "journal"
        assert "no journal" not in repr(client)
    assert list(Journal().runs()["verb"]) == ["publish"]
