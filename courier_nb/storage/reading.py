"""Reading parts while other processes merge them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pyarrow as pa

from courier_nb.core.errors import CaptureDamaged
from courier_nb.storage import parts
from courier_nb.storage.layout import Layout
from courier_nb.storage.manifest import Manifest, Part

_TRIES = 5


class PartReader:
    """Reads the parts of a capture, wherever their rows are by now.

    Parameters
    ----------
    layout : Layout
    manifest : Manifest
    """

    def __init__(self, layout: Layout, manifest: Manifest) -> None:
        self._layout = layout
        self._manifest = manifest

    def read(self, part: Part, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a part that the manifest named once.

        Raises
        ------
        CaptureDamaged
            When the part is missing or cannot be read.
        """
        left = part.rows
        for batch in self._rest(part, columns):
            if left <= 0:
                return
            yield batch.slice(0, left)
            left -= batch.num_rows

    def _rest(self, part: Part, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a part, and of whatever comes behind them in the file that holds them now."""
        for _ in range(_TRIES):  # each time it was merged, or got its name, between the look and the opening
            located = self._manifest.state().locate(part.stem)
            if located is None:
                break
            holder, start = located
            for path in (self._layout.part(holder.stem), self._layout.part_aside(holder.stem)):
                batches = parts.read_batches(path, columns, start=start)
                try:
                    first = list(islice(batches, 1))
                except FileNotFoundError:
                    continue
                yield from first
                yield from batches
                return
        path = self._layout.part(part.stem)
        raise CaptureDamaged(f"{path} is missing. Run verify() on the capture.", path=path)
