"""Probing a throw-away queue: the plan, the run, the answers beside the broker's present switches."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from courier_nb.core.errors import CourierError, InvalidArgument
from courier_nb.core.progress import Counter
from courier_nb.doctor.bench import Bench, ForeignMessage, Pace, Stumbled
from courier_nb.doctor.caller import Caller
from courier_nb.doctor.findings import Finding, PlannedProbe, ProbePlan, ProbeReport, Verdict
from courier_nb.doctor.probes.catalog import NOT_TRIED, probes_for
from courier_nb.doctor.probes.seen import Probe, Question, Seen
from courier_nb.doctor.subject import Subject
from courier_nb.wire.session import Session

if TYPE_CHECKING:
    from courier_nb.broker.config.switches import Switches

_FIRST_LOOK_CALLS = 1
_FIRST_LOCK_MS = 10_000


def present_switches(broker_config: str | Path | None = None) -> Switches:
    """Return the switches of a local broker: those of a TOML file, else the defaults.

    Raises
    ------
    ConfigError
        When the file is not a broker's.
    """
    from courier_nb.broker.config.file import load_config
    from courier_nb.broker.config.switches import Switches

    return Switches() if broker_config is None else load_config(broker_config).switches


def plan(subject: Subject) -> ProbePlan:
    """Return what probing this queue would do."""
    planned = [PlannedProbe("first_look", "receives once, to see that the queue is empty", _FIRST_LOOK_CALLS)]
    not_tried = dict(NOT_TRIED)
    for probe in probes_for(subject):
        obstacle = probe.obstacle(subject)
        if obstacle:
            not_tried.update((question.switch or probe.name, obstacle) for question in probe.questions)
        else:
            planned.append(PlannedProbe(probe.name, probe.does, probe.most_calls))
    return ProbePlan(subject.queue, tuple(planned), not_tried)


async def probe(
    session: Session,
    caller: Caller,
    subject: Subject,
    present: Switches,
    *,
    pace: Pace | None = None,
    only: Collection[str] | None = None,
    counter: Counter | None = None,
) -> ProbeReport:
    """Make the probes, one after the other, each clearing up after itself.

    Parameters
    ----------
    session : Session
    caller : Caller
    subject : Subject
    present : Switches
        What the answers are put beside.
    pace : Pace, optional
        The time that passes; tests move it.
    only : collection of str, optional
        Names of the probes to make; default: all.
    counter : Counter, optional
        Is told of every probe.

    Raises
    ------
    InvalidArgument
        When the first receive brings a message that is not the doctor's own; it was returned, and nothing was published.
    """
    calls_before = session.sender.calls
    bench = Bench(caller, subject, pace or Pace())
    await _first_look(bench)
    findings: list[Finding] = []
    probes = [one for one in probes_for(subject) if only is None or one.name in only]
    counter = counter or Counter("probing")
    counter.total = len(probes)
    for one in probes:
        counter.note = one.name
        why = one.obstacle(subject) or bench.stopped
        bench.begin(one.calls)
        seen = _nothing(one, why) if why else await _make(bench, one)
        findings += [
            _finding(one, question, answer, present, bench.raw) for question, answer in zip(one.questions, seen, strict=True)
        ]
        await bench.clear()
        counter.done += 1
    findings += [_not_tried(switch, why, present) for switch, why in NOT_TRIED.items() if only is None]
    calls = session.sender.calls - calls_before
    return ProbeReport(subject.queue, findings, stopped=bench.stopped, left=bench.left, calls=calls)


async def _first_look(bench: Bench) -> None:
    bench.begin(_FIRST_LOOK_CALLS)
    try:
        answer, _ = await bench.receive(poll_ms=1_000, lock_ms=_FIRST_LOCK_MS, payloadVisibility="none")
    except ForeignMessage as foreign:
        raise InvalidArgument(f"Nothing was published: {foreign}. Only an empty throw-away queue is probed.") from None
    if not answer.is_success:
        raise InvalidArgument(f"{bench.subject.queue!r} cannot be received from, so it cannot be probed: {answer}.")


async def _make(bench: Bench, one: Probe) -> tuple[Seen, ...]:
    try:
        return await one.run(bench)
    except (ForeignMessage, Stumbled, CourierError) as trouble:
        return _nothing(one, trouble)
    except BaseException:
        await bench.clear()  # an interrupt: what was published is deleted before it goes on
        raise


def _nothing(one: Probe, why: object) -> tuple[Seen, ...]:
    return tuple(Seen.nothing(why) for _ in one.questions)


def _finding(one: Probe, question: Question, seen: Seen, present: Switches, raw: str) -> Finding:
    now = None if question.switch is None else getattr(present, question.switch)
    name = question.switch or one.name
    return Finding(
        name, question.text, seen.answer, question.switch, now, seen.values, _verdict(question, seen, now), seen.why, raw
    )


def _verdict(question: Question, seen: Seen, present: object) -> Verdict:
    if not seen.answer:
        return "not found out"
    if question.switch is None:
        return "no switch"
    return "agrees" if present in seen.values else "differs"


def _not_tried(switch: str, why: str, present: Switches) -> Finding:
    return Finding(switch, "", "", switch, getattr(present, switch), (), "not found out", why)
