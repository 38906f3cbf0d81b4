"""What reports, plans and listings show of themselves. Never bodies, properties or lock ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from courier_nb.core.cards import MOST_ROWS, Card, Table, counted
from courier_nb.core.messages import Outcome

if TYPE_CHECKING:
    from courier_nb.flows.guard import LookCost
    from courier_nb.flows.listing import DestinationList
    from courier_nb.flows.locks.holding import Holding
    from courier_nb.flows.moving.moved import MoveReport
    from courier_nb.flows.plans import Plan
    from courier_nb.flows.replaying.replayed import Replayed
    from courier_nb.flows.reports import DrainReport, Received, Report

Facts = list[tuple[str, object]]


def report_card(report: Report) -> Card:
    """Counts by outcome, and the first messages that did not end as asked."""
    return Card(_title(report.verb, report.destination, report), _costs(report), _failures(report.failed))


def replayed_card(report: Replayed) -> Card:
    """As of any report, and the run that the ledger knows."""
    facts: Facts = [("run", report.run), ("attempt", report.attempt), ("ledger", report.ledger), *_costs(report)]
    return Card(_title(report.verb, report.destination, report), facts, _failures(report.failed), report.warnings)


def received_card(received: Received) -> Card:
    """How many messages, what became of them, and the first ones by their ids."""
    settlements = received.settlements
    held = [end for end, settlement in zip(received.lock_ends, settlements, strict=True) if settlement in (None, "held")]
    facts: Facts = [
        ("stopped because", received.stopped_because),
        ("held now", f"{len(held)} messages"),
        ("first lock ends", min((end for end in held if end is not None), default=None)),
        ("on their last chance", len(received.last_chance) or None),
        ("receives without an answer", received.ghost_receives or None),
        *_costs(received),
    ]
    first = zip(received.messages[:MOST_ROWS], received.deliveries_left, settlements, strict=False)
    rows = [(message.message_id, message.delivery_count, left, settlement or "held") for message, left, settlement in first]
    table = Table(("message id", "delivery", "deliveries left", "now"), rows, len(received.messages), "Messages")
    title = f"{received.verb} {received.destination!r}: {len(received.messages)} messages"
    return Card(title, facts, table, received.notes)


def drain_card(report: DrainReport) -> Card:
    """What became of the messages, and where they are."""
    facts: Facts = [
        ("capture", report.path),
        ("received", report.received),
        ("returned", report.returned or None),
        ("refused", report.refused or None),
        ("lock lost", report.lost_lock or None),
        ("without a certain answer", report.unknown or None),
        ("receives without an answer", report.ghost_receives or None),
        ("finished from an earlier run", report.recovered or None),
        ("stopped because", report.stopped_because),
        ("calls", report.calls),
        ("repeats", report.retries or None),
        ("answers of too much", report.throttled or None),
    ]
    return Card(f"drain {report.destination!r}: {report.acked} of {report.received} messages acknowledged", facts)


def move_card(report: MoveReport) -> Card:
    """What became of the messages, where they went through, and the first that were not moved."""
    facts: Facts = [
        ("capture", report.path),
        ("run", report.run),
        ("came again", report.came_again or None),
        ("refused", report.refused or None),
        ("skipped", report.skipped or None),
        ("lock lost", report.lost_lock or None),
        ("without a certain answer", report.unknown or None),
        ("receives without an answer", report.ghost_receives or None),
        ("stopped because", report.stopped_because),
        ("calls", report.calls),
    ]
    title = f"move {report.destination!r} to {report.target!r}: {report.moved} of {report.received} messages moved"
    return Card(title, facts, _failures(report.failed))


def plan_card(plan: Plan) -> Card:
    """The plan, line by line; the first says that nothing was sent."""
    title, *rest = plan.lines()
    facts: Facts = []
    for line in rest[: len(rest) - len(plan.warnings)]:
        name, _, value = line.strip().partition(": ")
        facts.append((name, value))
    return Card(title, facts, notes=[f"warning: {warning}" for warning in plan.warnings])


def destinations_card(found: DestinationList) -> Card:
    """How many there are, and those where most waits."""
    infos = sorted(found, key=lambda info: -found.depths[info.id].messages if info.id in found.depths else 1)
    rows = []
    for info in infos:
        depth = found.depths.get(info.id)
        waiting, in_flight = (depth.messages, depth.in_flight) if depth else (None, None)
        rows.append((info.id, info.kind, waiting, in_flight, info.dead_letter_queue))
    kinds: dict[str, int] = {}
    for info in found:
        kinds[f"{info.kind}s"] = kinds.get(f"{info.kind}s", 0) + 1
    what = "Where most messages wait, as of a minute ago at the most" if found.depths else "Destinations"
    headings = ("destination", "kind", "messages", "in flight", "dead letters go to")
    return Card(f"{len(found)} destinations: {counted(kinds) or 'none'}", table=Table(headings, rows, len(rows), what))


def look_cost_card(cost: LookCost) -> Card:
    """What a look costs, in words."""
    title = f"A look at {cost.destination!r} costs at most {cost.count} deliveries, and at least {cost.calls} calls"
    facts: Facts = [
        ("deliveries", "not limited" if cost.dead_letters is False else cost.max_deliveries or "limit unknown"),
        ("dead letters go to", cost.dead_letter_queue),
        ("FIFO", cost.is_fifo),
        ("earlier peeks", cost.earlier_peeks),
        ("near the end", cost.near_the_end),
    ]
    return Card(title, facts, notes=cost.notes)


def holding_card(holding: Holding) -> Card:
    """What is held, and until when."""
    rows = [(id_, queue, state, end, until) for id_, queue, state, end, _, _, until in holding.first(MOST_ROWS)]
    facts: Facts = [
        ("first lock ends", holding.first_end),
        ("calls to keep it", holding.calls),
        ("unit of lock changes", holding.lock_ttl_unit or "not known yet"),
    ]
    headings = ("message id", "destination", "state", "lock ends", "held until")
    table = Table(headings, rows, len(holding), "Messages")
    return Card(f"Holding {counted(holding.counts) or 'nothing'}", facts, table, holding.notes)


def _title(verb: str, destination: str, report: Report) -> str:
    return f"{verb} {destination!r}: {counted(report.counts) or 'nothing to do'}"


def _costs(report: Report) -> Facts:
    return [
        ("calls", report.calls or None),
        ("answers of too much", report.throttled or None),
    ]


def _failures(failed: Sequence[Outcome]) -> Table:
    rows = [(outcome.message_id, outcome.kind, outcome.reason) for outcome in failed]
    return Table(("message id", "outcome", "reason"), rows, len(rows), "Not as asked")
