"""Parquet files that are not ours, were tampered with, or unpack to a gigabyte: refused, or read in bounded memory."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from courier_nb import CaptureError, Client, CourierError, Message
from courier_nb.broker import LocalBroker
from courier_nb.frames.schema import SCHEMA
from courier_nb.frames.tables import table_of
from courier_nb.storage.foreign.parquet import read_messages

ROWS = [
    Message(f"body {n}", {"n": n, "text": "t", "null": None, "list": [n]}, {"messageId": f"m{n}"}, "queue") for n in range(30)
]
GOOD = pa.Table.from_batches([table_of(ROWS)])


def written(table: pa.Table, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def replaced(name: str, column: pa.Array | None, kind: pa.DataType | None = None) -> pa.Table:
    index = GOOD.schema.get_field_index(name)
    if column is None:
        return GOOD.remove_column(index)
    return GOOD.set_column(index, pa.field(name, kind or column.type), column)


def swapped(one: str, other: str) -> pa.Table:
    names = {one: other, other: one}
    return GOOD.rename_columns([names.get(name, name) for name in GOOD.schema.names])


def mapped(name: str, entry: tuple[str, str]) -> pa.Table:
    return replaced(name, pa.array([[entry]] * len(ROWS), SCHEMA.field(name).type))


def encrypted(content: bytes) -> bytes:
    return b"PARE" + content[4:-4] + b"PARE"


def of_other_extension_type() -> pa.Table:
    return replaced("body", pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16] * len(ROWS), pa.binary(16))))


FLAT = written(GOOD)
N = len(ROWS)
BAD: dict[str, Callable[[], bytes]] = {
    "empty file": lambda: b"",
    "text": lambda: b"message_id,body\n1,b\n",
    "zip": lambda: b"PK\x03\x04" + bytes(100),
    "only the magic": lambda: b"PAR1PAR1",
    "cut off at half": lambda: FLAT[: len(FLAT) // 2],
    "cut off before the footer's end": lambda: FLAT[:-1],
    "without its beginning": lambda: FLAT[100:],
    "zeros in the middle": lambda: FLAT[:200] + bytes(2_000) + FLAT[2_200:],
    "a footer that says it is huge": lambda: FLAT[:-8] + b"\xff\xff\xff\x7fPAR1",
    "encrypted": lambda: encrypted(FLAT),
    "of somebody else": lambda: written(pa.table({"id": [1], "payload": ["x"]})),
    "no columns": lambda: written(pa.table({})),
    "without the bodies": lambda: written(replaced("body", None)),
    "without the properties": lambda: written(replaced("properties", None)),
    "without the types": lambda: written(replaced("property_types", None)),
    "a column more": lambda: written(GOOD.append_column("extra", pa.array([1] * N))),
    "a column twice": lambda: written(GOOD.append_column("body", GOOD["body"])),
    "columns swapped by name": lambda: written(swapped("properties", "body")),
    "numbers for bodies": lambda: written(replaced("body", pa.array(range(N)))),
    "bytes for bodies": lambda: written(replaced("body", pa.array([b"b"] * N))),
    "a list for bodies": lambda: written(replaced("body", pa.array([["b"]] * N))),
    "large strings": lambda: written(replaced("body", pa.array(["b"] * N, pa.large_string())), store_schema=True),
    "text for counts": lambda: written(replaced("delivery_count", pa.array(["1"] * N))),
    "text for times": lambda: written(replaced("created", pa.array(["now"] * N))),
    "times without a zone": lambda: written(replaced("created", pa.array([0] * N, pa.timestamp("us")))),
    "a struct for properties": lambda: written(replaced("properties", pa.array([{"a": "b"}] * N))),
    "numbers in the map": lambda: written(replaced("properties", pa.array([[("a", 1)]] * N, pa.map_(pa.string(), pa.int64())))),
    "an extension type": lambda: written(of_other_extension_type()),
    "a type that no value has": lambda: written(mapped("property_types", ("n", "int")).set_column(
        GOOD.schema.get_field_index("properties"), "properties", mapped("properties", ("n", "no number"))["properties"])),
    "JSON that is none": lambda: written(mapped("property_types", ("n", "json")).set_column(
        GOOD.schema.get_field_index("properties"), "properties", mapped("properties", ("n", "{"))["properties"])),
    "JSON nested without end": lambda: written(mapped("property_types", ("n", "json")).set_column(
        GOOD.schema.get_field_index("properties"), "properties", mapped("properties", ("n", "[" * 100_000))["properties"])),
    "bytes under the name of text": lambda: _mislabelled(),
    "a row of 100 MB": lambda: written(replaced("body", pa.array(["x" * 100_000_000] + ["b"] * (N - 1)))),
    "pages that unpack to 300 MB": lambda: written(
        pa.Table.from_batches([table_of([Message("x" * 300_000, {}, {"messageId": str(n)}) for n in range(1_000)])]),
        compression="zstd", use_dictionary=False),
}  # fmt: skip


def _mislabelled() -> bytes:
    """Bodies that are no UTF-8 under the type of text."""
    body = pa.array([b"\xff\xfe"] * N)
    text = pa.Array.from_buffers(pa.string(), N, body.buffers())
    return written(replaced("body", text))


@pytest.mark.parametrize("name", BAD)
def test_nothing_is_published_from_a_bad_file(client: Client, broker: LocalBroker, tmp_path: Path, name: str) -> None:
    path = tmp_path / "bad.parquet"
    path.write_bytes(BAD[name]())
    queue = client.destination("queue")
    for verb in (queue.publish, queue.replay):
        with pytest.raises(CourierError) as caught:
            verb(path, progress=False)
        assert "bad.parquet" in str(caught.value)
    assert broker.depth("queue") == {"messages": 0, "inflight": 0}


def test_what_differs_is_listed(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "bad.parquet"
    pq.write_table(replaced("body", pa.array(range(N))).append_column("extra", pa.array([1] * N)), path)
    with pytest.raises(CaptureError, match=r"body is int64, not string; extra is not a column of ours"):
        client.destination("queue").publish(path, progress=False)


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("ours", written(GOOD), N),
        ("no rows", written(GOOD.slice(0, 0)), 0),
        ("no row groups", written(SCHEMA.empty_table()), 0),
        ("many row groups", written(GOOD, row_group_size=1), N),
        ("columns in another order", written(GOOD.select(sorted(GOOD.schema.names))), N),
        ("no dictionaries", written(GOOD, use_dictionary=False, compression="none"), N),
        ("maps that are missing", written(replaced("properties", pa.nulls(N, SCHEMA.field("properties").type))), N),
    ],
)
def test_an_unusual_file_of_ours_is_read(
    client: Client, broker: LocalBroker, tmp_path: Path, name: str, content: bytes, rows: int
) -> None:
    path = tmp_path / f"{name}.parquet"
    path.write_bytes(content)
    assert client.destination("queue").publish(path, progress=False).counts.get("ok", 0) == rows
    assert broker.depth("queue")["messages"] == rows


def test_a_flipped_byte_never_changes_a_message(client: Client, tmp_path: Path) -> None:
    queue = client.destination("queue")
    queue.publish(ROWS, progress=False)
    queue.drain(tmp_path / "capture", polling_time="20ms", progress=False).export(tmp_path / "good.parquet")
    content = (tmp_path / "good.parquet").read_bytes()

    def read() -> list[tuple[Any, ...]]:
        return [(m.message_id, m.body, dict(m.properties)) for m in read_messages(tmp_path / "flipped.parquet")]

    (tmp_path / "flipped.parquet").write_bytes(content)
    good = read()
    assert len(good) == N
    refused = wrong = 0
    for place in random.Random(4).sample(range(len(content)), 200):
        (tmp_path / "flipped.parquet").write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        try:
            wrong += read() != good
        except CourierError:
            refused += 1
    print(f"200 flips: {refused} refused, {200 - refused - wrong} without effect, {wrong} wrong")
    assert wrong == 0


REPLAY = """
import json, re, sys
import httpx
from courier_nb import Client
from courier_nb.client import broker_settings

sent = 0
class Swallow(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request):
        global sent
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        if request.method != "PUT":
            return httpx.Response(200, json={})
        sent += len(request.content)
        ids = [found.decode() for found in re.findall(rb'"messageId":"([^"]+)"', request.content)]
        return httpx.Response(200, json=[{"messageId": i, "status": "successful"} for i in ids])

def peak():
    return next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

settings = broker_settings({"url": "http://127.0.0.1:1/api/v1", "platform_url": "http://127.0.0.1:1", "region": "r",
                            "organization": "6f1a6c3e-0000-4000-8000-000000000001",
                            "environment": "6f1a6c3e-0000-4000-8000-000000000002", "client_id": "i", "client_secret": "s"})
with Client(settings, transport=Swallow()) as client:
    queue = client.destination("queue")
    queue.publish(sys.argv[1], progress=False)
    before = peak()
    report = queue.replay(sys.argv[2], progress=False)
    print(json.dumps([before, peak(), sent, report.counts]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
def test_a_file_of_100_kb_that_stands_for_a_gigabyte_is_replayed_in_bounded_memory(tmp_path: Path) -> None:
    unit = random.Random(1).randbytes(50_000).hex()
    batch = table_of([Message(unit * 10, {"n": n}, {"messageId": str(n)}) for n in range(1_000)])
    pq.write_table(pa.Table.from_batches([batch]), tmp_path / "bomb.parquet", compression="zstd")
    pq.write_table(GOOD, tmp_path / "small.parquet")
    size = (tmp_path / "bomb.parquet").stat().st_size
    env = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }
    ended = subprocess.run(
        [sys.executable, "-c", REPLAY, tmp_path / "small.parquet", tmp_path / "bomb.parquet"],
        capture_output=True, text=True, check=False, env=env,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    before, after, sent, counts = json.loads(ended.stdout)
    print(f"{size:,} bytes stand for {sent:,}: peak {after} MB, {after - before} MB over the baseline")
    assert counts == {"ok": 1_000}
    assert sent > 1_000_000_000
    assert size < 200_000
    assert after - before <= 256
