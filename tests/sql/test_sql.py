"""``courier_nb.sql``: what a query gives, and what it cannot reach."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import courier_nb
from courier_nb import NULL, Capture, CaptureDamaged, CaptureError, Destination, FrameError, InvalidArgument, Message, sql
from courier_nb.frames.display import MARK

from .conftest import SECRET


def rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    return list(frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None))


def test_properties_of_a_capture_are_columns_and_bodies_are_read_by_the_json_functions(capture: Capture) -> None:
    query = """
        SELECT "prop.event" AS event, count(*) AS messages, sum((body->>'$.order.total')::INT) AS total
        FROM dead WHERE "prop.event" IN ('push', 'pull') GROUP BY ALL ORDER BY event
    """
    found = sql(query, dead=capture)
    assert rows(found) == [("pull", 2, 250), ("push", 2, 50)]
    assert [str(dtype) for dtype in found.dtypes] == ["str", "Int64", "Int64"]
    assert found.attrs[MARK] is True
    assert rows(sql(query, dead=capture.path)) == rows(sql(query, dead=str(capture.path))) == rows(found)


def test_a_capture_and_its_frame_answer_alike(capture: Capture) -> None:
    query = (
        'SELECT message_id, created, delivery_count, body, "prop.event", "prop.amount", "prop.odd", "prop.big", "prop.yes" FROM t'
    )
    from_capture, from_frame = sql(query, t=capture), sql(query, t=capture.frame())
    pd.testing.assert_frame_equal(from_capture, from_frame)
    assert from_capture["prop.amount"].tolist()[:3] == [1.0, 2.5, 4.0]
    assert from_capture["prop.odd"].tolist()[:2] == ["1", "one"]
    assert from_capture["prop.big"].dropna().tolist() == [str(2**70), "1"]
    assert from_capture["prop.yes"].dropna().tolist() == [True, False]
    assert str(from_capture["created"].dtype) == "datetime64[us, UTC]"


def test_every_column_of_a_frame_but_the_lock_is_there(capture: Capture) -> None:
    found = sql("FROM t", t=capture)
    assert set(found.columns) == set(capture.frame().columns) - {"lock_id"}
    assert "prop.odd.name with spaces" in found
    assert len(found) == 6
    listed = sql("DESCRIBE t", t=capture)
    assert listed["column_name"].tolist() == found.columns.tolist()
    assert len(sql("SUMMARIZE t", t=capture)) == len(found.columns)
    assert sql("SELECT * EXCLUDE (body) FROM t", t=capture).columns.tolist() == [name for name in found.columns if name != "body"]


def test_a_capture_can_be_named_twice_in_a_query(capture: Capture) -> None:
    query = "SELECT count(*) AS pairs FROM t AS a JOIN t AS b USING (message_id), (SELECT max(body) FROM t)"
    assert rows(sql(query, t=capture)) == [(6,)]


def test_captures_and_frames_are_joined(capture: Capture) -> None:
    names = pd.DataFrame({"event": ["push", "pull"], "owner": ["ann", "bob"]})
    query = 'SELECT owner, count(*) FROM dead JOIN names ON "prop.event" = event GROUP BY owner ORDER BY owner'
    assert rows(sql(query, dead=capture, names=names)) == [("ann", 2), ("bob", 2)]


class Watched(Capture):
    """Notes which columns are read, and how many batches."""

    read: list[list[str] | None]

    def batches(self, columns: Any = None, **options: Any) -> Any:
        self.__dict__.setdefault("read", []).append(None if columns is None else list(columns))
        return super().batches(columns, **options)


def test_only_the_columns_that_are_needed_are_read(capture: Capture) -> None:
    watched = Watched(capture.path)
    sql('SELECT "prop.event", count(*) FROM t WHERE delivery_count > 0 GROUP BY ALL', t=watched)
    assert all(columns is not None and "body" not in columns for columns in watched.read)
    assert sorted(watched.read[-1] or []) == ["delivery_count", "prop.event"]


def test_what_was_received_has_no_locks_and_a_frame_has_those_it_has(orders: Destination) -> None:
    orders.publish([Message("x", {"event": "push"})])
    received = orders.receive(1)
    assert "lock_id" not in sql("FROM t", t=received)
    assert rows(sql('SELECT "prop.event", body FROM t', t=received)) == [("push", "x")]
    assert sql("SELECT lock_id FROM t", t=received.frame())["lock_id"].notna().all()


def test_times_are_in_utc_whatever_zone_the_machine_has(capture: Capture) -> None:
    code = (
        "import courier_nb, sys\n"
        "print(courier_nb.sql(\"SELECT strftime(min(created), '%H') AS h, date_trunc('day', min(created)) AS d FROM t\", "
        "t=sys.argv[1]).iloc[0].tolist())\n"
    )
    command = [sys.executable, "-c", code, str(capture.path)]
    zones = ("UTC", "Pacific/Kiritimati")
    answers = {
        subprocess.run(command, env={**os.environ, "TZ": zone}, capture_output=True, text=True, check=True).stdout
        for zone in zones
    }
    assert len(answers) == 1
    assert "UTC" in answers.pop()


def test_a_frame_may_hold_whatever_pandas_holds() -> None:
    frame = pd.DataFrame(
        {
            "mixed": [1, "a", 2.5, NULL, {"x": [1]}, b"\xff"],
            "bytes": [b"a", None, b"", b"\x00", b"b", b"c"],
            "surrogate": pd.Series(["\ud800", "b", "c", "d", "e", "f"], dtype=object),
            "period": pd.period_range("2026-01", periods=6, freq="M"),
            "kind": pd.Categorical(["a", "b", "a", "b", "a", None]),
            3: range(6),
        }
    )
    found = sql("FROM t", t=frame)
    assert found["mixed"].tolist()[:3] == ["1", "a", "2.5"]
    assert pd.isna(found["mixed"][3])
    assert found["mixed"].tolist()[4:] == ['{"x":[1]}', "\\xff"]
    assert found["bytes"][3] == b"\x00"
    assert found["surrogate"][0] == "\\ud800"
    assert found["period"].tolist()[0] == "2026-01"
    assert found["kind"].tolist()[:2] == ["a", "b"]
    assert found["3"].tolist() == list(range(6))


def test_a_result_may_name_a_column_twice_and_hold_nested_values() -> None:
    found = sql("SELECT 1 AS a, 2 AS a, [1, 2] AS list, {'x': 1} AS struct, 1.25::DECIMAL(5, 2) AS money, 10::HUGEINT AS big")
    assert found.columns.tolist() == ["a", "a", "list", "struct", "money", "big"]
    assert str(found.dtypes.iloc[-1]) == "Int64"


def test_an_empty_capture_and_an_empty_frame_have_their_columns(orders: Destination, tmp_path: Path) -> None:
    capture = orders.drain(tmp_path / "empty", polling_time="10ms", progress=False)
    assert isinstance(capture, Capture)
    assert rows(sql("SELECT count(*), count(body) FROM t", t=capture)) == [(0, 0)]
    assert sql("SELECT created, body FROM t", t=capture.frame()).empty


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM read_blob('{file}')",
        "SELECT * FROM read_parquet('{file}')",
        "SELECT * FROM read_json('{file}')",
        "SELECT * FROM sniff_csv('{file}')",
        "SELECT * FROM glob('{folder}/*')",
        "FROM '{file}'",
        "FROM '{folder}/*.csv'",
        "FROM 'http://127.0.0.1:9/x.parquet'",
        "COPY t TO '{folder}/out.csv'",
        "ATTACH '{folder}/other.db' AS other",
        "EXPORT DATABASE '{folder}/export'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA enable_profiling",
        "CREATE TABLE x AS SELECT * FROM t",
        "SELECT 1; SELECT 2",
        "SELECT * FROM outside",
        "SELECT getenv('HOME')",
    ],
)
def test_nothing_but_the_named_tables_is_reached(query: str, tmp_path: Path) -> None:
    outside = pd.DataFrame({"a": [1]})  # DuckDB would find it by its name
    assert len(outside) == 1
    file = tmp_path / "secret.csv"
    file.write_text("a,b\nhidden,1\n")
    before = set(tmp_path.iterdir())
    with pytest.raises(InvalidArgument) as caught:
        sql(query.format(file=file, folder=tmp_path), t=pd.DataFrame({"a": [1]}))
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "expects a query"),
        ("SELEC 1", "syntax error"),
        ("SELECT nope FROM t", "nope"),
        ("SELECT * FROM other", "Tables given: 't'"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("DROP TABLE t", "One SELECT was expected"),
    ],
)
def test_a_wrong_query_is_one_clear_line(query: str, said: str, capture: Capture) -> None:
    with pytest.raises(InvalidArgument, match=said) as caught:
        sql(query, t=capture)
    assert "\n" not in str(caught.value)


def test_an_error_shows_nothing_of_a_body(capture: Capture) -> None:
    with pytest.raises(InvalidArgument, match="Conversion error") as caught:
        sql("SELECT body::INT FROM t", t=capture)
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_a_body_that_is_no_json_can_be_passed_over(capture: Capture) -> None:
    with pytest.raises(InvalidArgument, match="TRY"):
        sql("SELECT body->>'$.order.total' FROM t", t=capture)
    found = sql("SELECT TRY((body->>'$.order.total')::INT) AS total FROM t ORDER BY message_id", t=capture)
    assert rows(found) == [(0,), (50,), (100,), (150,), (200,), (None,)]


def test_what_goes_wrong_while_reading_is_told_as_such(capture: Capture) -> None:
    opened = Capture(capture.path)
    part = next(capture.path.glob("*.parquet"))
    content = part.read_bytes()
    part.write_bytes(content[: len(content) // 2])
    with pytest.raises(CaptureDamaged, match=part.name):
        sql("SELECT body FROM t", t=opened)


def test_a_damage_that_shows_only_in_the_second_reading_is_told_as_such(capture: Capture) -> None:
    class Breaking(Capture):
        def batches(self, columns: Any = None, **options: Any) -> Any:
            if columns is not None and "body" in columns:
                raise CaptureDamaged("part is missing", path=self.path)
            return super().batches(columns, **options)

    with pytest.raises(CaptureDamaged, match="part is missing"):
        sql("SELECT body FROM t", t=Breaking(capture.path))


def test_wrong_tables_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="t is list; a frame, a capture"):
        sql("FROM t", t=[1])  # type: ignore[arg-type]
    with pytest.raises(CaptureError, match="does not exist"):
        sql("FROM t", t=tmp_path / "nowhere")
    with pytest.raises(FrameError, match=r"'a'.* more than once"):
        sql("FROM t", t=pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_it_asks_the_service_nothing_and_leaves_the_capture_as_it_is(capture: Capture) -> None:
    before = {path: path.read_bytes() for path in capture.path.rglob("*") if path.is_file()}
    sql("SELECT count(*) FROM t", t=capture)
    assert {path: path.read_bytes() for path in capture.path.rglob("*") if path.is_file()} == before


def test_without_duckdb_one_line_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['duckdb'] = None\n"
        "import courier_nb\n"
        "try: courier_nb.sql('SELECT 1')\n"
        "except ImportError as error: print(error)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == 'SQL needs duckdb: install it with pip install "courier-nb[sql]".'


def test_the_public_name_is_a_function_however_it_is_reached() -> None:
    code = "import courier_nb.querying.sql, courier_nb; from courier_nb import sql; print(callable(sql), sql is courier_nb.sql)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["True", "True"]
    assert courier_nb.sql is sql
