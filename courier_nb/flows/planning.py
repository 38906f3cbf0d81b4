"""The plans of ack, nack, extend, publish and drain."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from anyio import to_thread

from courier_nb.core.errors import CourierError, InvalidArgument
from courier_nb.core.messages import Message
from courier_nb.core.rates import Rate, as_rate
from courier_nb.flows.plans import Fact, Headroom, Plan, calls_for, headroom_of, messages, pace_of
from courier_nb.flows.settle import Held, SettleVerb
from courier_nb.flows.sources import OpenSource
from courier_nb.storage.journal.journal import Journal
from courier_nb.storage.layout import Layout, check_identity
from courier_nb.storage.manifest import Manifest
from courier_nb.storage.reading import PartReader
from courier_nb.wire.codec import body_text
from courier_nb.wire.operations import Operations
from courier_nb.wire.retry import Operation
from courier_nb.wire.session import Session
from courier_nb.wire.stats import Depth

_SETTLING = {"ack": Operation.ACK_BATCH, "nack": Operation.NACK_BATCH, "extend": Operation.EXTEND_BATCH}
_LOST = "the lock has run out"
_UNPUBLISHABLE = "no body that could be published"


@dataclass(slots=True)
class Content:
    """What would be sent.

    Attributes
    ----------
    rows : int
        Messages that were given.
    skipped : dict of str to int
        Why -> messages that would not be sent.
    groups : set of str
        Message groups, whose order is kept.
    body_bytes : int
        UTF-8 bytes of the bodies to send.
    warnings : tuple of str
    details : dict
        What else matters, by name.
    """

    rows: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    body_bytes: int = 0
    warnings: tuple[str, ...] = ()
    details: dict[str, Fact] = field(default_factory=dict)

    def add(self, message: Message) -> None:
        """Count a message that is to be sent, if it can be."""
        try:
            text = body_text(message)
        except InvalidArgument:
            self.skip(_UNPUBLISHABLE)
            return
        self.rows += 1
        self.body_bytes += len(text.encode("utf-8", "surrogatepass"))
        if message.message_group_id is not None:
            self.groups.add(message.message_group_id)

    def skip(self, why: str) -> None:
        """Count a message that is not to be sent."""
        self.rows += 1
        self.skipped[why] = self.skipped.get(why, 0) + 1


@dataclass(frozen=True, slots=True)
class Planner:
    """What plans follow from.

    Attributes
    ----------
    session : Session
    operations : Operations
    journal : Journal or None
    concurrency : int
        Calls at a time.
    rate : Rate, str or None
        That the work would be held to.
    """

    session: Session
    operations: Operations
    journal: Journal | None
    concurrency: int
    rate: Rate | str | None = None

    async def settle(self, verb: SettleVerb, destination: str, rows: Sequence[Held]) -> Plan:
        """Return what settling `rows` would do."""
        lost = sum(row.is_over for row in rows)
        todo = len(rows) - lost
        warnings = []
        if verb == "nack":
            warnings.append("A message that has used up its deliveries goes to the dead-letter queue when it is returned.")
        return await self.plan(
            verb,
            destination,
            rows=len(rows),
            skipped={_LOST: lost} if lost else {},
            calls=calls_for(todo) or 0,
            kinds=[_SETTLING[verb]],
            warnings=warnings,
        )

    async def refused(self, verb: str, destination: str, rows: int, why: InvalidArgument) -> Plan:
        """Return the plan of a call that would be refused before anything is sent."""
        return await self.plan(
            verb,
            destination,
            rows=rows,
            skipped={"the call would be refused as a whole": rows},
            calls=0,
            warnings=[f"The call would be refused: {why}"],
        )

    async def publish(self, destination: str, source: OpenSource) -> Plan:
        """Return what publishing a source would do."""
        return await self.sending("publish", destination, await to_thread.run_sync(_looked_through, source))

    async def sending(self, verb: str, destination: str, content: Content) -> Plan:
        """Return what sending a content would do."""
        return await self.plan(
            verb,
            destination,
            rows=content.rows,
            skipped=content.skipped,
            calls=calls_for(content.rows - sum(content.skipped.values())) or 0,
            kinds=[Operation.PUBLISH_BATCH],
            warnings=content.warnings,
            details={"groups": len(content.groups), "body_bytes": content.body_bytes, **content.details},
        )

    async def drain(self, destination: str, root: Path, limit: int | None, *, ours: int = 0) -> Plan:
        """Return what a drain would do.

        Parameters
        ----------
        destination : str
        root : Path
            Folder of the capture.
        limit : int or None
        ours : int
            Messages of the destination that this client holds itself.
        """
        headroom, depth = await headroom_of(self.session, destination)
        rows = None if depth is None else depth.messages if limit is None else min(limit, depth.messages)
        calls = calls_for(rows, calls_per_batch=2)
        warnings = ["The number of messages is up to a minute old, and others may add or take some."] if depth else []
        warnings += _locked(None if depth is None else depth.in_flight, ours)
        if rows is None:
            warnings.append("The depth is not known: a connected app or a user may ask the Stats API.")
        free = await to_thread.run_sync(_free_bytes, root)
        warnings += await to_thread.run_sync(_others_in, root, destination)
        return await self.plan(
            "drain",
            destination,
            rows=rows,
            calls=calls,
            kinds=[Operation.RECEIVE, Operation.ACK_BATCH],
            warnings=warnings,
            looked_up=(headroom, depth),
            details={"capture": str(root), "free_bytes": free, "deliveries_spent": rows},
        )

    async def plan(
        self,
        verb: str,
        destination: str,
        *,
        rows: int | None,
        calls: int | None,
        kinds: Sequence[Operation] = (),
        skipped: dict[str, int] | None = None,
        warnings: Sequence[str] = (),
        details: dict[str, Fact] | None = None,
        looked_up: tuple[Headroom, Depth | None] | None = None,
    ) -> Plan:
        """Return a plan with pace and headroom looked up.

        Parameters
        ----------
        verb, destination : str
        rows, calls : int or None
            None where they are not known.
        kinds : sequence of Operation
            Kinds of the calls, the same number of each.
        skipped, warnings, details
            See `Plan`.
        looked_up : tuple, optional
            Headroom and depth, where they are known already.
        """
        skipped = skipped or {}
        headroom, _ = looked_up or await headroom_of(self.session, destination)
        production = await self.session.production()
        pace = pace_of(
            self.operations,
            self.journal,
            verb,
            kinds=kinds,
            calls=calls,
            messages=None if rows is None else rows - sum(skipped.values()),
            concurrency=self.concurrency,
            rate=as_rate(self.rate),
        )
        found = {"production": "not known" if production is None else production, "read_only": self.session.settings.read_only}
        return Plan(verb, destination, rows, skipped, calls, pace, headroom, tuple(warnings), {**(details or {}), **found})


def _looked_through(source: OpenSource) -> Content:
    content = Content()
    for message in source.messages:
        content.add(message)
    return content


def _locked(in_flight: int | None, ours: int) -> list[str]:
    """Return in words what a drain does not see as it is locked, by this client itself or by others."""
    if ours:
        if in_flight is None:
            return [f"This client holds {messages(ours)} of it itself; a drain does not see what is locked."]
        known = max(in_flight, ours)  # the depth lags by up to a minute
        return [f"Of {known} in flight this client holds {ours}; a drain does not see what is locked."]
    if in_flight:
        return [f"{messages(in_flight)} {'is' if in_flight == 1 else 'are'} locked by others; what is locked is not seen."]
    return []


def _others_in(root: Path, destination: str) -> list[str]:
    """Return a warning when a folder holds messages of other destinations; nothing that was left unfinished there is touched."""
    layout = Layout(root)
    if not layout.identity_file.is_file():
        return []
    found: Counter[str] = Counter()
    try:
        check_identity(layout)
        manifest = Manifest(layout)
        reader = PartReader(layout, manifest)
        for part in list(manifest.state().parts.values()):
            for batch in reader.read(part, ["destination"]):
                for one in batch["destination"].value_counts().to_pylist():
                    found[str(one["values"])] += one["counts"]
    except (CourierError, OSError) as error:
        return [f"What this folder holds already cannot be read: {error}"]
    others = [f"{messages(count)} of {name!r}" for name, count in sorted(found.items()) if name != destination]
    return [f"This folder already holds {', '.join(others)}."] if others else []


def _free_bytes(root: Path) -> int | None:
    """Return the free space where a folder is, or would be made."""
    for folder in (root, *root.absolute().parents):
        if folder.is_dir():
            return shutil.disk_usage(folder).free
    return None
