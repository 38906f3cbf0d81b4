"""A DuckDB in memory that reaches nothing but the tables it is given."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from courier_nb.core.errors import InvalidArgument
from courier_nb.core.printable import plain
from courier_nb.querying.tables import CaptureTable

Tables = Mapping[str, CaptureTable | pa.Table]

# No file, no network, no variable of the program, nothing written to a temporary folder.
_LOCKED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "temp_directory": "",
}
# What lists columns rather than reads them: its plan does not name them.
_LISTING = re.compile(r"\b(describe|desc|summarize|show|explain|pragma\w*|duckdb_\w+|information_schema)\b", re.IGNORECASE)
# Their messages name columns and tables; those of other errors quote values, which may be a part of a message.
_TELLING = {"ParserException", "BinderException", "CatalogException", "PermissionException", "SyntaxException"}


@dataclass(frozen=True, slots=True)
class TableNames:
    """The tables that a query names.

    Attributes
    ----------
    needed : frozenset of str
    perhaps : frozenset of str
        Also names of its own, ``WITH name AS``; it may mean a table all the same.
    """

    needed: frozenset[str]
    perhaps: frozenset[str]


def table_names(query: str) -> TableNames:
    """Return the tables that a query names.

    Raises
    ------
    InvalidArgument
        When it is not one SELECT.
    """
    with _opened() as connection, _told({}):
        tree = _tree(connection, query)
    found = {node["table_name"] for node in _nodes(tree) if node.get("type") == "BASE_TABLE" and not node.get("schema_name")}
    own = {entry["key"] for node in _nodes(tree) if "cte_map" in node for entry in node["cte_map"]["map"]}
    return TableNames(frozenset(found - own), frozenset(found & own))


def run_query(query: str, tables: Tables) -> pa.Table:
    """Return the result of one statement over the tables.

    Raises
    ------
    InvalidArgument
        When the query is wrong, or wants what it may not have.
    """
    with _opened() as connection, _told(tables):
        _tree(connection, query)
        for name, table in tables.items():
            connection.register(name, table)
        narrow = _narrowed(connection, query, tables)
        if narrow:
            for name, table in narrow.items():
                connection.unregister(name)
                connection.register(name, table)
            if not _is_understood(connection, query):  # it names a column only to leave it out
                for name in narrow:
                    connection.unregister(name)
                    connection.register(name, tables[name])
                narrow = {}
        with _own_errors({**tables, **narrow}):
            return connection.sql(query).to_arrow_table()


def _narrowed(connection: Any, query: str, tables: Tables) -> dict[str, CaptureTable]:
    """Return the captures with only the columns that the plan of the query mentions."""
    captures = {name: table for name, table in tables.items() if isinstance(table, CaptureTable)}
    if not captures or _LISTING.search(query):
        return {}
    plan = "".join(str(cell) for row in connection.execute(f"EXPLAIN (FORMAT json) {query}").fetchall() for cell in row)
    return {name: table.narrowed([column for column in table.schema.names if column in plan]) for name, table in captures.items()}


def _is_understood(connection: Any, query: str) -> bool:
    import duckdb

    try:
        connection.execute(f"EXPLAIN {query}")
    except duckdb.Error:
        return False
    return True


def _tree(connection: Any, query: str) -> dict[str, Any]:
    """Return the syntax tree of one SELECT; whatever is something else, or more, is refused."""
    tree: dict[str, Any] = json.loads(connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [query]).fetchall()[0][0])
    if tree["error"]:
        said = tree["error_message"]
        if "Only SELECT" in said:
            said = "One SELECT was expected (WITH, FROM, DESCRIBE and SUMMARIZE are too); nothing else is run."
        raise InvalidArgument(f"The query cannot be run. {plain(said)}")
    if len(tree["statements"]) != 1:
        raise InvalidArgument(f"The query holds {len(tree['statements'])} statements; one was expected. Nothing was run.")
    return tree


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for value in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(value)


@contextmanager
def _opened() -> Iterator[Any]:
    try:
        import duckdb
    except ImportError:
        raise ImportError('SQL needs duckdb: install it with pip install "courier-nb[sql]".', name="duckdb") from None
    connection = duckdb.connect(":memory:", config=_LOCKED)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()


@contextmanager
def _own_errors(tables: Tables) -> Iterator[None]:
    """Raise what went wrong while a capture was read as it is."""
    try:
        yield
    except Exception:
        for table in tables.values():
            if isinstance(table, CaptureTable) and table.error is not None:
                raise table.error from None
        raise


@contextmanager
def _told(tables: Tables) -> Iterator[None]:
    """Turn an error of DuckDB into one line. Its traceback goes with it: it may quote a message's body."""
    import duckdb

    try:
        yield
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except duckdb.Error as error:
        raise InvalidArgument(_words(error, tables)) from None


def _words(error: Exception, tables: Tables) -> str:
    kind = type(error).__name__
    if kind not in _TELLING:
        return (
            f"The query failed ({kind.removesuffix('Exception')} error); the value is not shown, as it may be a part of a "
            "message. TRY_CAST(…) and TRY(…) give NULL where a value cannot be read."
        )
    said = plain(re.sub(r"\s+", " ", str(error).split("\n\nLINE ")[0]))
    if kind == "CatalogException" and "Table with name" in said:
        given = ", ".join(map(repr, sorted(tables))) or "none"
        said = f"{said.split('!')[0]}. Tables given: {plain(given)}; give others by name: sql(query, name=frame)."
    return f"The query cannot be run. {said}"
