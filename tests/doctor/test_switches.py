"""The doctor finds out every switch of a broker that it can, whatever it is set to, over a real socket."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pytest

from courier_nb.broker import ExchangeConfig, Switches
from courier_nb.broker.config.switches import choices
from courier_nb.doctor.probes.catalog import NOT_TRIED, probes_for
from courier_nb.doctor.subject import Subject
from tests.doctor.conftest import open_clinic, throw_away

pytestmark = pytest.mark.anyio

PROBE_OF = {question.switch: probe.name for probe in probes_for(Subject("q")) for question in probe.questions if question.switch}
NUMBERS = {"admin_page_limit": (1_000, 20, 73), "stats_ids": (100, 20, 33)}


@dataclass(frozen=True)
class Case:
    """One value of one switch, and the queue that shows it."""

    switch: str
    value: Any
    queue: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.switch}={self.value}"


QUEUE_OF: dict[str, dict[str, Any]] = {
    "receive_lock_default": {"default_lock_ttl_ms": 8_000},
    "fifo_message_delay": {"fifo": True},
    "delay_unit": {"default_delivery_delay_ms": 4_000},
}
CASES = [
    Case(switch, value, QUEUE_OF.get(switch, {}))
    for switch in PROBE_OF
    for value in choices().get(switch, NUMBERS.get(switch, ()))
    if switch != "dead_letter_created"
] + [
    # Whether a date is kept as in SQS or always can be told apart in a FIFO queue only, and the reverse.
    Case("dead_letter_created", "reset"),
    Case("dead_letter_created", "keep", {"fifo": True}),
]


def test_every_switch_is_tried_or_said_to_be_not() -> None:
    assert set(PROBE_OF) | set(NOT_TRIED) == {item.name for item in fields(Switches)}
    assert not set(PROBE_OF) & set(NOT_TRIED)


def test_every_switch_that_is_tried_has_cases() -> None:
    assert {case.switch for case in CASES} == set(PROBE_OF)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_the_doctor_finds_the_value_of_the_switch(case: Case) -> None:
    config = throw_away(**case.queue)
    config = replace(config, switches=Switches(**{case.switch: case.value}), exchanges=(ExchangeConfig("events"),))
    async with open_clinic(config) as clinic:
        report = await clinic.probe(only={PROBE_OF[case.switch]}, exchange="events", large=case.switch == "size_limit_counts")
        assert {queue: clinic.broker.depth(queue) for queue in ("probe", "dead")} == {
            queue: {"messages": 0, "inflight": 0} for queue in ("probe", "dead")
        }
    finding = next(item for item in report if item.switch == case.switch)
    assert finding.values == (case.value,), (finding.answer, finding.why, finding.raw)
    assert finding.verdict == ("agrees" if case.value == getattr(Switches(), case.switch) else "differs")
    assert report.left == 0


@pytest.mark.parametrize(("fifo", "possible"), [(False, ("sqs", "keep")), (True, ("sqs", "reset"))])
async def test_what_one_kind_of_queue_cannot_tell_apart_stays_open_and_is_not_written(
    fifo: bool, possible: tuple[str, ...]
) -> None:
    async with open_clinic(throw_away(fifo=fifo)) as clinic:
        report = await clinic.probe(only={"dead_letter"})
    finding = next(item for item in report if item.switch == "dead_letter_created")
    assert (finding.values, finding.verdict) == (possible, "agrees")
    assert "dead_letter_created" not in report.answers
    assert report.answers == {"dead_letter_count": "restart"}


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
async def test_a_whole_probing_of_a_default_broker_agrees_with_the_defaults(fifo: bool) -> None:
    config = replace(throw_away(fifo=fifo), exchanges=(ExchangeConfig("events"),))
    async with open_clinic(config) as clinic:
        report = await clinic.probe(exchange="events", large=True)
        assert clinic.broker.depth("probe") == clinic.broker.depth("dead") == {"messages": 0, "inflight": 0}
    assert [item for item in report if item.verdict == "differs"] == []
    unknown = {item.switch for item in report if item.verdict == "not found out"}
    of_kind = {"expired_lock"} if fifo else {"fifo_message_delay"}
    assert unknown == set(NOT_TRIED) | {"receive_lock_default", "delay_unit"} | of_kind
    assert (report.left, report.stopped) == (0, "")


def test_the_page_names_every_probe_and_everything_that_is_not_tried() -> None:
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text()
    named = {name for line in page.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    names = {question.switch or probe.name for probe in probes_for(Subject("q")) for question in probe.questions}
    assert names <= named
    assert all(f"`{switch}`" in page.split("Not tried:")[1] for switch in NOT_TRIED)
