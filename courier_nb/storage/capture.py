"""Reading a capture: frames, tables, messages, and the check that it is complete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from courier_nb.core.cards import shown_as
from courier_nb.core.errors import InvalidArgument
from courier_nb.core.messages import Message
from courier_nb.frames import schema
from courier_nb.frames.display import foreign
from courier_nb.frames.flatten import frame_of
from courier_nb.frames.tables import messages_of
from courier_nb.frames.verbs import give_frames_verbs, of_client
from courier_nb.storage import selecting
from courier_nb.storage.cards import capture_card
from courier_nb.storage.compaction import FileSizes, compact
from courier_nb.storage.duplicates import find_duplicates
from courier_nb.storage.layout import Layout, open_layout
from courier_nb.storage.manifest import Manifest, Part
from courier_nb.storage.reading import PartReader
from courier_nb.storage.verification import Verification, verify_layout
from courier_nb.storage.writer import cannot_write, recover

if TYPE_CHECKING:
    from courier_nb.storage.foreign.export import ExportReport

_SETTLEMENTS = ("acked", "returned", "refused", "lost_lock", "unknown")


@shown_as(capture_card)
class Capture:
    """Messages in Parquet, written by ``drain``.

    Parameters
    ----------
    path : str or Path
        Folder of the capture. What a killed drain left unfinished there is finished first.

    Attributes
    ----------
    path : Path
    report : DrainReport or None
        How the drain went that this object came from; None for a capture that was opened later.
    origin : str
        Key of the client that drained it, by which the verbs of its frames find it; empty for one that was opened later.

    Raises
    ------
    CaptureError
        When the folder is not a capture, or what was left unfinished there cannot be finished (the disk is full).
    CaptureDamaged
        When what the folder is, or which parts belong to it, cannot be trusted; ``courier-nb verify`` says more.

    Notes
    -----
    A message that was captured twice (a drain was cut off between the flush and the answer to its acknowledgement) is shown
    once; `duplicates` counts the other copies, and ``all_copies=True`` shows them.
    """

    def __init__(self, path: str | Path, *, report: Any = None) -> None:
        self.path = Path(path)
        self.report = report
        self.origin = ""
        self._layout: Layout = open_layout(self.path)
        try:
            self.recovered_rows = recover(self._layout)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._manifest = Manifest(self._layout)
        self._reader = PartReader(self._layout, self._manifest)
        self._hidden: dict[str, set[int]] | None = None
        self._hidden_for: list[str] = []
        give_frames_verbs()

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(self.settlements.items()))
        return f"<Capture {str(self.path)!r}: {len(self)} messages ({counts or 'empty'})>"

    def __len__(self) -> int:
        return sum(part.rows for part in self._parts()) - self.duplicates

    @property
    def duplicates(self) -> int:
        """Copies of messages that are not shown."""
        return sum(len(rows) for rows in self._find_hidden(self._parts()).values())

    @property
    def settlements(self) -> dict[str, int]:
        """Rows on disk by what became of their message on the broker, copies included."""
        total: Counter[str] = Counter()
        for part in self._parts():
            total.update(part.settlements)
        return dict(total)

    @property
    def runs(self) -> pd.DataFrame:
        """Rows on disk by the run that captured them, copies included.

        Returns
        -------
        DataFrame
            One row a run, in the order of their first part: ``run`` (str), ``rows`` (int) and, as int columns, what became of
            their messages: ``acked``, ``returned``, ``refused``, ``lost_lock``, ``unknown``.
        """
        total: dict[str, Counter[str]] = {}
        for part in self._parts():
            for run, counts in part.runs.items():
                total.setdefault(run, Counter()).update(counts)
        rows = [(run, counts.total(), *(counts[kind] for kind in _SETTLEMENTS)) for run, counts in total.items()]
        frame = pd.DataFrame(rows, columns=["run", "rows", *_SETTLEMENTS])
        return foreign(frame.astype({"run": "str", "rows": "int64", **dict.fromkeys(_SETTLEMENTS, "int64")}))

    @property
    def unfinished(self) -> int:
        """Spools that another process is still writing; their messages are not shown yet."""
        return len(self._layout.spool_stems())

    def frame(
        self,
        columns: Sequence[str] | None = None,
        *,
        where: str | None = None,
        limit: int | None = None,
        run: str | None = None,
        all_copies: bool = False,
    ) -> pd.DataFrame:
        """Return the messages as a DataFrame.

        Parameters
        ----------
        columns : sequence of str, optional
            Names as in the frame, for example ``["message_id", "prop.event", "body"]``; default all. Only what is asked for
            is read from the disk.
        where : str, optional
            Keep the rows for which this pandas query holds, for example ``'`prop.event` == "push" and delivery_count > 2'``.
            It is asked about some of the rows at a time, so it must judge each row by itself.
        limit : int, optional
            At most so many rows.
        run : str, optional
            Only what this run captured.
        all_copies : bool
            Also show the copies of messages captured twice.

        Returns
        -------
        DataFrame
            One row a message in the order of arrival; dtypes as in ``docs/columns.md``.

        Raises
        ------
        FrameError
            When a column does not exist, no message of the capture has such a property or header, or the query is wrong.
        CaptureDamaged
            When a part cannot be read.
        """
        names = None if columns is None else list(columns)
        batches: list[pa.RecordBatch] = []
        rows = 0
        for batch in self.batches(None if where else names, run=run, all_copies=all_copies):
            kept = batch if where is None else selecting.where(batch, where)
            kept = kept if limit is None else kept.slice(0, limit - rows)
            batches.append(kept)
            rows += kept.num_rows
            if limit is not None and rows >= limit:
                break
        if entries := selecting.entries_of(names or ()):  # the rest is read only where these rows have none
            selecting.check_occurring(entries, chain(batches, self.batches(entries, all_copies=True)), self.path)
        table = pa.Table.from_batches(batches) if batches else schema.SCHEMA.empty_table()
        return of_client(frame_of(table, names), self.origin)

    def batches(
        self,
        columns: Sequence[str] | None = None,
        *,
        run: str | None = None,
        settlement: Sequence[str] | None = None,
        all_copies: bool = False,
    ) -> Iterator[pa.RecordBatch]:
        """Yield the messages as Arrow record batches of at most 1,000 rows, so that memory does not grow with the capture.

        Parameters
        ----------
        columns : sequence of str, optional
            Frame names; the map columns that hold them are read.
        run : str, optional
            Only what this run captured.
        settlement : sequence of str, optional
            Only messages that this became of, for example ``("acked",)``.
        all_copies : bool
            Also show the copies of messages captured twice.
        """
        wanted = None if columns is None else selecting.stored_columns(columns)
        only = {name: values for name, values in (("run", run and [run]), ("settlement", settlement)) if values is not None}
        read = None if wanted is None else [*wanted, *(name for name in only if name not in wanted)]
        parts = self._parts()
        hidden = {} if all_copies else self._find_hidden(parts)
        for part in parts:
            if run is not None and run not in part.runs:
                continue
            skip = hidden.get(part.stem, set())
            row = 0
            for batch in self._reader.read(part, read):
                if skip:
                    mask = pa.array([i not in skip for i in range(row, row + batch.num_rows)])
                    row += batch.num_rows
                    batch = batch.filter(mask)
                for name, values in only.items():
                    batch = batch.filter(pc.is_in(batch[name], value_set=pa.array(values, pa.string())))
                yield batch if wanted is None else batch.select(wanted)

    def messages(self, *, run: str | None = None, settlement: Sequence[str] | None = None) -> Iterator[Message]:
        """Yield the messages one by one, for publishing them again.

        Parameters
        ----------
        run : str, optional
            Only what this run captured.
        settlement : sequence of str, optional
            Only messages that this became of, for example ``("acked",)``.
        """
        for batch in self.batches(run=run, settlement=settlement):
            yield from messages_of(batch)

    def export(
        self,
        path: str | Path,
        *,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        raw: bool = False,
        overwrite: bool = False,
    ) -> ExportReport:
        """Write the messages to one file that other programs read, whole or not at all, readable by its owner only.

        Parameters
        ----------
        path : str or Path
            Its ending says the format: ``.csv``, ``.xlsx`` (needs the extra ``excel``), ``.jsonl`` or ``.jsonl.gz`` (what
            `publish` reads), ``.parquet`` (what `replay` reads).
        columns : sequence of str, optional
            For tables: names as in `frame`; default all but ``lock_id``, which is never written. A property that no message has
            becomes an empty column, so that files of one kind have the same columns every day.
        where : str, optional
            As in `frame`.
        raw : bool
            Write plain values into tables. By default a text that a spreadsheet takes for a formula gets an apostrophe in front,
            characters that hide something are written as their codes, and a last column names the changed cells.
        overwrite : bool
            Replace a file of that name.

        Returns
        -------
        ExportReport
            Rows written, and every cell that was changed or cut.

        Raises
        ------
        InvalidArgument
            When the ending names no format, or the file exists.
        FrameError
            When a column does not exist or the query is wrong.
        CaptureError
            When the file cannot be written; nothing is left of it then.
        """
        from courier_nb.storage.foreign.export import export_batches

        path = Path(path)
        if path.resolve().is_relative_to(self.path.resolve()):
            raise InvalidArgument(f"{path} is inside the capture itself: write it elsewhere.")

        def batches(names: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
            for batch in self.batches(None if where else names):
                yield batch if where is None else selecting.where(batch, where)

        return export_batches(batches, path, columns=columns, raw=raw, overwrite=overwrite)

    def verify(self) -> Verification:
        """Check that every part is there and holds what was written into it; see `Verification`."""
        return verify_layout(self._layout)

    def compact(self) -> int:
        """Merge small parts into parts of about 100 MB or 200,000 rows, as the end of a drain does.

        Returns
        -------
        int
            How many files there are fewer; 0 also while another process does it.

        Raises
        ------
        CaptureDamaged
            When a part does not hold what was written into it; the capture is as it was.
        CaptureError
            When the disk is full or gone; the capture is as it was.
        """
        try:
            return compact(self._layout, FileSizes())
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def _parts(self) -> list[Part]:
        return list(self._manifest.state().parts.values())

    def _find_hidden(self, parts: Sequence[Part]) -> dict[str, set[int]]:
        stems = [part.stem for part in parts]
        if self._hidden is None or stems != self._hidden_for:
            self._hidden = find_duplicates(parts, self._reader.read)
            self._hidden_for = stems
        return self._hidden
