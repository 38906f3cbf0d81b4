"""Probing leaves nothing behind, takes nothing that is not its own, and makes no more calls than it said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import httpx
import pytest

from courier_nb import ConfigError, InvalidArgument
from courier_nb.broker import ExchangeConfig, QueueConfig
from courier_nb.doctor import probing
from courier_nb.doctor.probes import locks
from courier_nb.doctor.probes.catalog import NOT_TRIED
from tests.doctor.conftest import Clinic, Hurry, open_clinic, throw_away

pytestmark = pytest.mark.anyio

EMPTY = {"messages": 0, "inflight": 0}


async def test_without_consent_nothing_is_sent_to_the_queue_and_the_plan_says_what_would_be() -> None:
    async with open_clinic(throw_away()) as clinic:
        requests = clinic.watch()
        report = await clinic.client.doctor(probe="probe", reach=False)
    assert report.probes is None
    assert report.plan is not None
    assert "it needs consent=True" in repr(report)
    assert [request for request in requests if request.method == "GET" and request.url.path.endswith("/messages")] == []
    assert {request.content for request in requests if request.method == "PUT"} == {b"[]"}
    planned = {probe.probe for probe in report.plan.probes}
    assert {"lock_ttl_unit", "dead_letter", "message_ttl"} <= planned
    assert not planned & set(report.plan.not_tried)
    assert set(NOT_TRIED) | {"size_limit_counts", "exchange_read_status"} <= set(report.plan.not_tried)
    assert str(report.plan.calls) in repr(report.plan)


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
async def test_no_more_calls_are_made_than_the_plan_announced(fifo: bool) -> None:
    config = replace(throw_away(fifo=fifo), exchanges=(ExchangeConfig("events"),))
    async with open_clinic(config) as clinic:
        plan = (await clinic.client.doctor(probe="probe", exchange="events", large=True, reach=False)).plan
        requests = clinic.watch()
        report = await clinic.probe(exchange="events", large=True)
    assert plan is not None
    assert report.calls <= plan.calls
    assert len(requests) == report.calls + 5  # queue, exchange and dead-letter queue were looked at before


async def test_what_the_probes_publish_is_marked_small_and_deleted() -> None:
    async with open_clinic(throw_away()) as clinic:
        requests = clinic.watch()
        await clinic.probe()
        assert clinic.broker.depth("probe") == clinic.broker.depth("dead") == EMPTY
    published = [request for request in requests if request.method == "PUT"]
    assert published
    for request in published:
        items = json.loads(request.content)
        for item in items if isinstance(items, list) else [items]:
            assert "courierNbDoctor" in item["properties"]
            assert len(item["body"]) < 100


@pytest.mark.parametrize("in_flight", [False, True])
async def test_a_queue_that_is_not_empty_is_refused_before_anything_is_sent(in_flight: bool) -> None:
    async with open_clinic(throw_away()) as clinic:
        await clinic.publish("probe", "theirs")
        if in_flight:
            await clinic.client.destination("probe").receive_batch()
        requests = clinic.watch()
        with pytest.raises(InvalidArgument, match="'probe' is not empty"):
            await clinic.client.doctor(probe="probe", consent=True)
        assert all(request.method == "GET" and not request.url.path.startswith("/api/v1") for request in requests)
        assert sum(clinic.broker.depth("probe").values()) == 1


async def test_a_message_that_statistics_do_not_show_yet_is_returned_and_nothing_is_published() -> None:
    async with open_clinic(throw_away()) as clinic:
        await clinic.publish("probe", "theirs")
        # the token of an MQ client app cannot ask how deep the queue is
        async with clinic.with_client_app() as blind:
            requests = blind.watch()
            with pytest.raises(InvalidArgument, match=r"Nothing was published: a message .* it was returned"):
                await blind.probe()
        assert clinic.broker.depth("probe") == {"messages": 1, "inflight": 0}
        assert [request for request in requests if request.method == "PUT"] == []
        (theirs,) = await clinic.client.destination("probe").receive_batch()
        assert (theirs.message_id, theirs.delivery_count) == ("theirs", 2)


@pytest.mark.parametrize("arrives", ["hidden_body", "expired_lock", "dead_letter"])
async def test_a_message_of_somebody_else_stops_the_probing_and_is_returned(
    arrives: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_clinic(throw_away(max_deliveries=10)) as clinic:
        await interfere(clinic, monkeypatch, arrives, lambda: clinic.publish("probe", "theirs"))
        report = await clinic.probe()
        assert "a message that is not the doctor's own came from 'probe'; it was returned" in report.stopped
        assert clinic.broker.depth("probe") == {"messages": 1, "inflight": 0}
        assert clinic.broker.depth("dead") == EMPTY
        assert report.left == 0
    order = [finding.probe for finding in report if finding.switch not in NOT_TRIED]
    first = next(index for index, finding in enumerate(report) if finding.why == report.stopped)
    assert all(not finding.answer for finding in list(report)[first : len(order)])
    assert any(finding.answer for finding in list(report)[:first])


async def interfere(clinic: Clinic, monkeypatch: pytest.MonkeyPatch, probe: str, act: Callable[[], Any]) -> None:
    """Do something as soon as a probe begins."""
    make = probing._make

    async def made(bench: Any, one: Any) -> Any:
        if one.name == probe:
            await act()
        return await make(bench, one)

    monkeypatch.setattr(probing, "_make", made)


async def test_a_probe_that_fails_clears_up_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_clinic(throw_away()) as clinic:

        async def refuse(request: httpx.Request) -> None:
            if request.method == "PATCH":
                raise httpx.ReadError("cut")

        clinic.client._session._http.event_hooks["request"].append(refuse)
        report = await clinic.probe(only={"lock_ttl_unit", "zero_lock"})
        assert clinic.broker.depth("probe") == EMPTY
    unit, zero = report
    assert (unit.verdict, unit.values) == ("not found out", ())
    assert "change lock no answer" in unit.why
    assert zero.verdict == "agrees"


async def test_an_interrupt_deletes_what_was_published(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = anyio.Event()

    async def hang(*_: Any, **__: Any) -> bool:
        waiting.set()
        await anyio.sleep_forever()
        return False

    monkeypatch.setattr(locks, "_comes_back", hang)
    async with open_clinic(throw_away()) as clinic:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: clinic.probe(only={"zero_lock"}))
            await waiting.wait()
            assert clinic.broker.depth("probe")["messages"] == 1
            group.cancel_scope.cancel()
        assert clinic.broker.depth("probe") == EMPTY


@pytest.mark.parametrize(
    ("queue", "words"),
    [("dead", "takes the dead letters of probe"), ("nowhere", "no queue 'nowhere'"), ("events", "no queue 'events'")],
)
async def test_what_is_no_throw_away_queue_is_refused(queue: str, words: str) -> None:
    async with open_clinic(replace(throw_away(), exchanges=(ExchangeConfig("events"),))) as clinic:
        with pytest.raises(InvalidArgument, match=words):
            await clinic.probe(queue)


async def test_a_queue_that_gives_few_deliveries_is_refused_since_its_dead_letters_would_pile_up() -> None:
    async with open_clinic(throw_away(max_deliveries=2)) as clinic:
        with pytest.raises(InvalidArgument, match="maxDeliveries is at least 5"):
            await clinic.probe()


async def test_dead_letters_are_not_tried_where_others_use_the_dead_letter_queue() -> None:
    config = throw_away()
    shared = replace(config, queues=(*config.queues, QueueConfig("other", dead_letter_queue="dead")))
    async with open_clinic(shared) as clinic:
        count, _ = await clinic.probe(only={"dead_letter"})
        assert "not certainly the dead-letter queue of this queue alone" in count.why
    async with open_clinic(config) as clinic:
        await clinic.publish("dead", "theirs")
        count, _ = await clinic.probe(only={"dead_letter"})
        assert "'dead' is not certainly empty" in count.why
        assert clinic.broker.depth("dead") == {"messages": 1, "inflight": 0}
    async with open_clinic(throw_away(max_deliveries=50)) as clinic:
        count, _ = await clinic.probe(only={"dead_letter"})
        assert "maxDeliveries is 50" in count.why


async def test_a_queue_is_not_read_as_if_it_were_an_exchange() -> None:
    config = throw_away()
    config = replace(config, queues=(*config.queues, QueueConfig("orders")))
    async with open_clinic(config) as clinic:
        await clinic.publish("orders", "theirs")
        (finding,) = await clinic.probe(only={"exchange_read_status"}, exchange="orders")
        assert "not certainly an exchange" in finding.why
        assert clinic.broker.depth("orders") == {"messages": 1, "inflight": 0}


async def test_an_mq_client_app_finds_out_what_the_broker_alone_can_tell() -> None:
    async with open_clinic(throw_away()) as clinic:
        async with clinic.with_client_app() as blind:
            report = await blind.probe()
        assert clinic.broker.depth("probe") == EMPTY
    assert {"lock_ttl_unit", "hidden_body", "bad_settle_batch", "message_ttl"} <= set(report.answers)
    unknown = {finding.switch for finding in report if finding.verdict == "not found out"}
    assert {"region_entity", "live_depth", "dead_letter_count", "expired_lock"} <= unknown
    assert [finding for finding in report if finding.verdict == "differs"] == []


async def test_a_report_shows_statuses_and_words_but_no_lock_and_no_token() -> None:
    async with open_clinic(throw_away()) as clinic:
        token = (await clinic.client._session.tokens.current()).value
        report = await clinic.probe(only={"bad_settle_batch", "success_texts"})
    shown = repr(report) + report.frame().to_string()
    assert "200 'Acknowledgement operation successful'" in shown
    assert "200 'LockId: … provided is expired'" in shown
    assert token not in shown
    assert "AQEB" not in shown


async def test_the_frame_has_one_row_a_finding_with_the_present_switch_beside_it() -> None:
    async with open_clinic(throw_away()) as clinic:
        report = await clinic.probe(only={"zero_lock", "success_texts", "delay_unit"})
    frame = report.frame().set_index("probe")
    assert list(frame.columns) == ["question", "answer", "switch", "present", "verdict", "why", "raw"]
    assert dict(frame.loc["zero_lock", ["present", "verdict"]]) == {"present": "visible", "verdict": "agrees"}
    assert frame.loc["success_texts", "verdict"] == "no switch"
    assert frame.loc["delay_unit", "verdict"] == "not found out"


@pytest.mark.parametrize("option", [{"consent": True}, {"exchange": "e"}, {"large": True}, {"broker_config": "b.toml"}], ids=str)
async def test_options_of_probing_need_a_queue_to_probe(option: dict[str, Any]) -> None:
    async with open_clinic(throw_away()) as clinic:
        with pytest.raises(InvalidArgument, match="name the queue with probe="):
            await clinic.client.doctor(**option)


async def test_a_wrong_broker_config_is_refused_before_anything_is_asked(tmp_path: Any) -> None:
    path = tmp_path / "broker.toml"
    path.write_text("[switches]\nlock_ttl_unit = 'min'\n")
    async with open_clinic(throw_away()) as clinic:
        requests = clinic.watch()
        with pytest.raises(ConfigError, match="lock_ttl_unit is 'min'"):
            await clinic.client.doctor(probe="probe", broker_config=path)
        assert requests == []


async def test_answers_are_put_beside_the_switches_of_the_file(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "broker.toml"
    path.write_text("[switches]\nzero_lock = 'default'\nlock_ttl_unit = 'ms'\n")
    async with open_clinic(throw_away()) as clinic:
        monkeypatch.setattr(probing, "Pace", lambda: Hurry(clinic.clock))
        report = await clinic.client.doctor(probe="probe", consent=True, reach=False, broker_config=path, progress=False)
    assert report.probes is not None
    found = {finding.switch: finding for finding in report.probes}
    assert (found["zero_lock"].present, found["zero_lock"].verdict) == ("default", "differs")
    assert (found["lock_ttl_unit"].present, found["lock_ttl_unit"].verdict) == ("ms", "differs")
    assert found["hidden_body"].verdict == "agrees"
