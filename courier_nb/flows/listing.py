"""What a listing of destinations returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

from courier_nb.core.cards import shown_as
from courier_nb.flows.cards import destinations_card
from courier_nb.wire.admin import DestinationInfo
from courier_nb.wire.stats import Depth

if TYPE_CHECKING:
    import pandas as pd


@shown_as(destinations_card)
class DestinationList(Sequence[DestinationInfo]):
    """Queues and exchanges of a region, with their depths.

    Attributes
    ----------
    depths : dict of str to Depth
        Live depth of the queues, up to a minute old; empty when it was not asked for.
    """

    def __init__(self, infos: Sequence[DestinationInfo], depths: dict[str, Depth]) -> None:
        self._infos = tuple(infos)
        self.depths = depths

    def frame(self) -> pd.DataFrame:
        """Return one row a destination.

        Returns
        -------
        DataFrame
            ``destination`` (str), ``kind`` (str: queue, fifo-queue, exchange), ``messages`` and ``in_flight`` (Int64, up to a
            minute old), ``dead_letter_queue`` (str), ``max_deliveries`` (Int64), ``dead_letter_sources`` (str, comma-separated).
        """
        from courier_nb.frames.display import foreign_frame

        rows = []
        for info in self._infos:
            depth = self.depths.get(info.id)
            messages, in_flight = (depth.messages, depth.in_flight) if depth else (None, None)
            sources = ", ".join(info.dead_letter_sources) or None
            rows.append((info.id, info.kind, messages, in_flight, info.dead_letter_queue, info.max_deliveries, sources))
        names = ["destination", "kind", "messages", "in_flight", "dead_letter_queue", "max_deliveries", "dead_letter_sources"]
        numbers = {"messages": "Int64", "in_flight": "Int64", "max_deliveries": "Int64"}
        return foreign_frame(rows, {name: numbers.get(name, "str") for name in names})

    @overload
    def __getitem__(self, index: int) -> DestinationInfo: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[DestinationInfo]: ...

    def __getitem__(self, index: int | slice) -> DestinationInfo | Sequence[DestinationInfo]:
        return self._infos[index]

    def __iter__(self) -> Iterator[DestinationInfo]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)

    def __repr__(self) -> str:
        return f"<DestinationList: {len(self)} destinations>"
