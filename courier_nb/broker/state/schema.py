"""Tables of the broker's database, and how a database is opened."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from filelock import FileLock, Timeout

from courier_nb.core.errors import ConfigError

_APPLICATION_ID = 0x436E6252  # "CnbR", so that another program's database is not taken for ours
_VERSION = 3

_SCHEMA = f"""
create table meta(key text primary key, value text not null) without rowid;

create table environment(pk integer primary key, id text not null unique, name text not null unique, production integer not null);

create table client(
    client_id text primary key,
    environment integer not null,
    name text not null,
    secret text not null,
    unique(environment, name)
) without rowid;

-- heap is what message rows belong to: a purge gives the queue a new one, and the old one is emptied bit by bit.
-- stored and locked count its rows, so that depth and the in-flight limit need no counting; the rest only ever grows.
create table queue(
    pk integer primary key,
    environment integer not null,
    id text not null,
    heap integer not null unique,
    fifo integer not null,
    encrypted integer not null,
    dead_letter_queue text,
    max_deliveries integer not null,
    default_ttl_ms integer not null,
    default_lock_ttl_ms integer not null,
    default_delivery_delay_ms integer not null,
    fallback integer not null default 0,
    stored integer not null default 0,
    locked integer not null default 0,
    sent integer not null default 0,
    received integer not null default 0,
    acked integer not null default 0,
    unique(environment, id)
);

create table discarded(heap integer primary key);

create table exchange(
    pk integer primary key,
    environment integer not null,
    id text not null,
    encrypted integer not null,
    published integer not null default 0,
    delivered integer not null default 0,
    unique(environment, id)
);

-- rule is JSON, as the Admin API takes it
create table binding(exchange integer not null, queue integer not null, rule text, primary key(exchange, queue)) without rowid;
create index binding_queue on binding(queue);

-- Times are milliseconds since the epoch. id, headers, properties and body are JSON fragments, put into answers as they are.
-- token is set while the message is locked, and then visible_at is the end of the lock. member is its message group, of a FIFO
-- queue only. spent is the token of a lock that ran out, kept when such a lock may still be good for an ack.
create table message(
    seq integer primary key,
    heap integer not null,
    member integer,
    visible_at integer not null,
    expires_at integer not null,
    token blob,
    spent blob,
    deliveries integer not null default 0,
    created integer not null,
    own_ttl integer,
    id blob not null,
    size integer not null,
    headers blob not null,
    properties blob not null,
    body blob not null
);
create index message_visible on message(heap, visible_at);
create index message_locked on message(visible_at) where token is not null;
create index message_expiry on message(expires_at);
create index message_member on message(member, seq) where member is not null;

-- The message groups that hold messages. head is the oldest of them, ready_at when that becomes visible; a group gives out
-- nothing while any message of it is in flight.
create table message_group(
    pk integer primary key,
    heap integer not null,
    name text not null,
    head integer not null,
    ready_at integer not null,
    inflight integer not null default 0,
    unique(heap, name)
);
create index message_group_ready on message_group(heap, ready_at, head) where inflight = 0;

-- Ids that a FIFO queue has taken in the last five minutes.
create table repeated(queue integer not null, id blob not null, until integer not null, primary key(queue, id)) without rowid;
create index repeated_until on repeated(until);

-- What the counts of queues and exchanges are at the end (at) of a minute in which they changed.
create table queue_sample(
    queue integer not null,
    at integer not null,
    stored integer not null,
    locked integer not null,
    sent integer not null,
    received integer not null,
    acked integer not null,
    primary key(queue, at)
) without rowid;
create table exchange_sample(
    exchange integer not null,
    at integer not null,
    published integer not null,
    delivered integer not null,
    primary key(exchange, at)
) without rowid;
create table usage(
    environment integer not null,
    hour integer not null,
    requests integer not null,
    receipts integer not null,
    units integer not null,
    bytes integer not null,
    primary key(environment, hour)
) without rowid;

pragma application_id = {_APPLICATION_ID};
pragma user_version = {_VERSION};
"""


class Database:
    """An open database and, for a file, the lock that keeps other brokers out."""

    def __init__(self, connection: sqlite3.Connection, lock: FileLock | None = None) -> None:
        self.connection = connection
        self._lock = lock

    def close(self) -> None:
        """Close the database, then let others in."""
        self.connection.close()
        if self._lock is not None:
            self._lock.release()


def open_database(path: Path | None, *, durable: bool) -> Database:
    """Open the broker's database and create its tables if it is new.

    Parameters
    ----------
    path : Path or None
        None keeps everything in memory.
    durable : bool
        Whether each commit is synced to the disk.

    Raises
    ------
    ConfigError
        When the file is in use by another broker, is not a broker's database or cannot be opened.
    """
    if path is None:
        return Database(_prepared(_connect(":memory:")))
    lock = _lock_beside(path)
    try:
        # Made by us and not by SQLite, so that nobody else can read it from the first byte on; -wal and -shm follow its mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
        connection = _connect(str(path))
        try:
            connection.execute("pragma journal_mode = wal")
            connection.execute(f"pragma synchronous = {'full' if durable else 'normal'}")
            return Database(_prepared(connection), lock)
        except BaseException:
            connection.close()
            raise
    except (OSError, sqlite3.Error) as error:
        lock.release()
        raise ConfigError(f"The broker's database {path} cannot be opened: {error}.", setting="db") from error
    except BaseException:
        lock.release()
        raise


def _lock_beside(path: Path) -> FileLock:
    if not path.parent.is_dir():
        raise ConfigError(f"The folder of the broker's database {path} does not exist.", setting="db")
    # not thread-local: the thread that opens the database is not the one that closes it
    lock = FileLock(path.with_name(f"{path.name}.lock"), mode=0o600, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(
            f"The broker's database {path} is in use by another broker: stop it, or give this one another file.", setting="db"
        ) from None
    except OSError as error:
        raise ConfigError(f"The broker's database {path} cannot be locked: {error}.", setting="db") from error
    return lock


def _connect(target: str) -> sqlite3.Connection:
    # opened on the caller's thread, then used by the committer's thread only
    connection = sqlite3.connect(target, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.execute("pragma cache_size = -32000")
    connection.execute("pragma temp_store = memory")  # else what a savepoint would have to undo soon goes to a file
    return connection


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    application, version = (connection.execute(f"pragma {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if (application, version) == (_APPLICATION_ID, _VERSION):
        return connection
    if application or version or connection.execute("select 1 from sqlite_master").fetchone():
        raise ConfigError("The database was not written by this version of the local broker: give another file.", setting="db")
    connection.executescript(f"begin;{_SCHEMA}commit;")
    return connection
