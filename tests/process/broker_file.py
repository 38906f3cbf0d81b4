"""What the database file of a dead broker holds, read from a copy: opening the file itself would repair it for the broker."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from .broker_promises import Key, Row

CONTRADICTIONS = {
    "counts of queues": (
        "select id, stored, locked from queue where (stored, locked) is not"
        " (select count(*), count(token) from message where message.heap = queue.heap)"
    ),
    "message groups": (
        "select name, inflight, head, ready_at from message_group as g where (inflight, head, iif(inflight, 0, ready_at)) is not"
        " (select count(token), min(seq), iif(inflight, 0, visible_at) from message where member = g.pk)"
    ),
    "messages without a group": (
        "select seq from message join queue using (heap) where fifo and member not in (select pk from message_group)"
    ),
    "messages without a queue": "select seq from message where heap not in (select heap from queue)",
}


class DeadBroker:
    """The file of a broker that is not running.

    Attributes
    ----------
    rows : list of Row
    remembered : set of (str, str)
        Queue and id of what FIFO queues would not take again.
    contradictions : list of str
        What is not as it should be, whatever happened.
    """

    def __init__(self, db: Path, scratch: Path) -> None:
        scratch.mkdir(exist_ok=True)
        copy = scratch / db.name
        for suffix in ("", "-wal"):  # not -shm: whoever opens the file after a crash makes it again
            if db.with_name(db.name + suffix).exists():
                shutil.copyfile(db.with_name(db.name + suffix), copy.with_name(copy.name + suffix))
        with closing(sqlite3.connect(copy)) as connection:
            self.rows = [
                Row(queue, json.loads(message_id), count, visible_at / 1_000 if is_locked else 0.0)
                for queue, message_id, count, visible_at, is_locked in connection.execute(
                    "select queue.id, message.id, deliveries, visible_at, token is not null from message join queue using (heap)"
                )
            ]
            self.remembered: set[Key] = {
                (queue, json.loads(message_id))
                for queue, message_id in connection.execute(
                    "select queue.id, repeated.id from repeated join queue on queue.pk = repeated.queue"
                )
            }
            self.contradictions = [
                f"{what}: {row}" for what, statement in CONTRADICTIONS.items() for row in connection.execute(statement)
            ]
            integrity = [text for (text,) in connection.execute("pragma integrity_check")]
            self.contradictions += [] if integrity == ["ok"] else integrity
        shutil.rmtree(scratch)
