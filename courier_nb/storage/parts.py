"""From spool to Parquet: write aside, read back, describe, rename; then the spool may go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from courier_nb.core.errors import CaptureDamaged
from courier_nb.core.messages import Message
from courier_nb.frames.schema import SCHEMA
from courier_nb.frames.tables import table_of
from courier_nb.storage import disk, spool
from courier_nb.storage.layout import Layout, Sidecar

_ROWS_PER_BATCH = 1_000
_BYTES_PER_BATCH = 4_000_000
_REPEATING = ["destination", "environment", "settlement", "message_group_id", "headers.key_value.key", "properties.key_value.key"]


def write_part(layout: Layout, stem: str) -> Sidecar | None:
    """Turn a finished spool into a part, and return its description; None for a spool without messages.

    The part appears under its name only when it has been read back, found complete and flushed; its description is there
    before it. The spool is left to the caller. Safe to repeat after a crash at any point.

    Raises
    ------
    CaptureDamaged
        When the spool is broken, or what was written does not read back.
    OSError
        When the disk is full or gone; nothing has changed then.
    """
    final, aside = layout.part(stem), layout.aside / f"{stem}.parquet"
    ids: list[str | None] = []
    settlements: Counter[str] = Counter()
    aside.unlink(missing_ok=True)
    with aside.open("xb") as file:
        aside.chmod(0o600)
        with pq.ParquetWriter(
            file, SCHEMA, compression="zstd", compression_level=1, use_dictionary=_REPEATING, write_page_index=True
        ) as writer:
            for messages, outcomes in _batches(layout, stem):
                writer.write_batch(_without_locks(table_of(messages, outcomes)))
                ids += [message.message_id for message in messages]
                settlements.update(outcomes)
        file.flush()
        disk.flush(file.fileno())
    if not ids:
        aside.unlink()
        return None
    # A writer that ran out of space closes without an error and leaves a cut-off file: only reading back is evidence.
    _check(aside, ids, stem)
    sidecar = Sidecar(stem, len(ids), aside.stat().st_size, disk.sha256(aside), dict(settlements))
    disk.write_whole(layout.sidecar(stem), sidecar.to_json(), aside=layout.aside / f"{stem}.json")
    aside.replace(final)
    disk.flush_folder(layout.root)
    return sidecar


def _batches(layout: Layout, stem: str) -> Iterator[tuple[list[Message], list[str]]]:
    messages: list[Message] = []
    outcomes: list[str] = []
    size = 0
    for answer in spool.read_spool(layout.spool(stem)):
        messages += answer.messages
        outcomes += answer.settlements or ["unknown"] * len(answer.messages)
        size += sum(len(message.body or "") for message in answer.messages)
        if len(messages) >= _ROWS_PER_BATCH or size >= _BYTES_PER_BATCH:
            yield messages, outcomes
            messages, outcomes, size = [], [], 0
    if messages:
        yield messages, outcomes


def _without_locks(batch: pa.RecordBatch) -> pa.RecordBatch:
    # Whoever holds a lock id can delete the message; in a capture it is spent or soon will be, and is of no use to a reader.
    index = SCHEMA.get_field_index("lock_id")
    return batch.set_column(index, SCHEMA.field(index), pa.nulls(batch.num_rows, pa.string()))


def _check(path: object, ids: list[str | None], stem: str) -> None:
    with pq.ParquetFile(path) as file:
        found = file.read(columns=["message_id"])["message_id"].to_pylist()
    # An id that no text column can hold is kept among the headers, and its cell is empty.
    if len(found) != len(ids) or any(cell is not None and cell != ids[i] for i, cell in enumerate(found)):
        raise CaptureDamaged(f"Part {stem} did not read back as it was written: the disk may be full or failing.", path=path)
