"""`DestinationPicker`: find the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import traitlets

from courier_nb.blocking.client import Client, inner_of
from courier_nb.core.clock import AwakeClock, Clock
from courier_nb.core.errors import InvalidArgument
from courier_nb.core.printable import plain
from courier_nb.jupyter.assets import bundle
from courier_nb.jupyter.picker.counts import AT_ONCE
from courier_nb.jupyter.picker.lookups import Lookups
from courier_nb.jupyter.picker.reader import Reader
from courier_nb.jupyter.picker.remembered import Remembered
from courier_nb.jupyter.widget import CourierWidget

SORTS = ("dead letters", "depth", "name")

_FIRST_LIST_SECONDS = 0.3
_LONGEST_NAME = 500


class DestinationPicker(CourierWidget):
    """Shows the queues and exchanges of the region with their live depth, and lets one be picked.

    Parameters
    ----------
    client : Client
        Blocking client; it stays the caller's to close.
    value : str
        Picked from the beginning.
    sort : {"dead letters", "depth", "name"}
        Order of the list: dead-letter queues that hold messages first, the deepest first, or by name.
    clock : Clock, optional
    remembered : path, optional
        File with the names used before; default: ``destinations.json`` in the user's state folder.

    Attributes
    ----------
    value : str
        Id of the picked destination; empty when none is.
    kind : str
        Of the picked one: queue, FIFO queue, exchange; empty when it is not known.
    info : dict
        Of the picked one: ``id``, ``kind``, ``is_listed`` (None as long as the list is not there), ``is_fallback``,
        ``dead_letter_queue``, ``dead_letters_of`` (list), ``max_deliveries``, ``messages``, ``in_flight``, ``read_at`` (datetime,
        UTC; the counts were up to a minute old then). Empty when none is picked.
    options : list of str
        Ids to pick from.
    source : str
        ``service`` when `options` is what the service lists, ``memory`` when these credentials may not list and it is what was
        used before; empty while loading.
    summary, note : str
        What the list is, and what is in the way, in words.
    sort : str

    Raises
    ------
    InvalidArgument
        When `client` is not a blocking client, `value` cannot be a destination, or `sort` is not one of these.

    Notes
    -----
    Reads only: Admin API for the list, Stats API for the counts, both free of charge. Counts are read again every 30 s while
    somebody can see the widget, more seldom when the service refuses.
    """

    _esm = bundle("common.js", "picker_order.js", "picker_list.js", "picker_card.js", "picker.js")
    _css = bundle("theme.css", "picker.css")

    value = traitlets.Unicode("")
    kind = traitlets.Unicode("")
    info = traitlets.Dict()
    options = traitlets.List(traitlets.Unicode())
    source = traitlets.Unicode("").tag(sync=True)
    sort = traitlets.Enum(SORTS, "dead letters").tag(sync=True)
    summary = traitlets.Unicode("Loading the list …").tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    _picked = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        client: Client,
        value: str = "",
        *,
        sort: str = "dead letters",
        clock: Clock | None = None,
        remembered: str | Path | None = None,
    ) -> None:
        if not isinstance(client, Client):
            raise InvalidArgument(
                f"client is a {type(client).__name__}, expected a Client, such as courier_nb.connect() returns."
            )
        if sort not in SORTS:
            raise InvalidArgument(f"sort is {sort!r}, expected one of {', '.join(map(repr, SORTS))}.")
        clock = clock or AwakeClock()
        path = None if remembered is None else Path(remembered).expanduser()
        # The ids of an embedded broker end with this kernel, and who keeps no journal wants no traces.
        is_wanted = not client.is_embedded and client.journal is not None
        self._remembered = Remembered(clock, path) if is_wanted else None
        self._listeners: list[Callable[[str], None]] = []
        super().__init__(sort=sort)
        self._reader = Reader(
            Lookups(inner_of(client), self._remembered, clock),
            clock,
            self._turn,
            on_list=self._show_list,
            on_counts=self._show_counts,
            on_end=self._show_note,
        )
        self._reader.read_all()
        self.wait(_FIRST_LIST_SECONDS)
        self.value = value

    def pick(self, name: str) -> None:
        """Pick a destination by its id, as a click on it does; it need not be in the list.

        Raises
        ------
        InvalidArgument
            When it cannot be a destination.
        """
        before = self.value
        self.value = name
        if self.value == before:
            self._tell_listeners()

    def on_pick(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the id whenever a destination is picked, also when it is the same again."""
        self._listeners.append(listener)

    def refresh(self) -> None:
        """Read list and counts again, in the background."""
        self._reader.read_all()

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds` for what is being read; return whether that has ended."""
        return self._reader.wait(seconds)

    def close(self) -> None:
        """End it; nothing is read any more."""
        reader = getattr(self, "_reader", None)
        if reader is not None:  # None when making it has failed
            reader.close()
        super().close()

    @traitlets.validate("value")
    def _check_value(self, proposal: Mapping[str, Any]) -> str:
        name = str(proposal["value"]).strip()
        if name in (".", "..") or len(name) > _LONGEST_NAME or any(character.isspace() for character in name):
            raise InvalidArgument(f"{plain(name[:50])!r} cannot be a destination: give the name of one queue or exchange.")
        return name

    @traitlets.observe("value")
    def _value_changed(self, changed: Mapping[str, Any]) -> None:
        self._reader.picked = self.value
        self.change(error="")
        self._show_picked()
        self._remember()
        if changed["old"]:
            self._reader.note_used(changed["old"])  # it is marked as new as long as it is picked
        self._reader.seen((), is_open=False)
        self._tell_listeners()

    def _tell_listeners(self) -> None:
        for listener in self._listeners:
            listener(self.value)

    def _do_show(self, message: object, buffers: object) -> None:
        with self._turn:
            self._tell_list()
            self._tell_counts(self._reader.counts.readings)

    def _do_seen(self, message: Mapping[str, Any], buffers: object) -> None:
        names = [str(name) for name in message.get("names") or ()][:AT_ONCE]
        self._reader.seen([self._reader.catalog.id_of(name) for name in names], is_open=message.get("open") is True)

    def _do_pick(self, message: Mapping[str, Any], buffers: object) -> None:
        self.pick(self._reader.catalog.id_of(str(message.get("name") or "").strip()))

    def _do_refresh(self, message: object, buffers: object) -> None:
        self.refresh()

    def _show_list(self) -> None:
        listing = self._reader.listing
        assert listing is not None  # noqa: S101  # for the type checker: the reader has just got it
        self.change(
            options=list(listing.catalog),
            source="service" if listing.catalog.is_whole else "memory",
            summary=listing.summary,
            note=listing.note,
        )
        self._tell_list()
        self._show_picked()
        self._remember()

    def _show_counts(self, ids: Iterable[str]) -> None:
        self._tell_counts(ids)
        self._show_picked()

    def _show_note(self) -> None:
        listing = self._reader.listing
        if listing is None:
            self.change(summary="There is no list")
        words = ("" if listing is None else listing.note, self._reader.trouble)
        self.change(note=" ".join(filter(None, words)))

    def _tell_list(self) -> None:
        reader = self._reader
        if reader.listing is not None:
            rows = reader.catalog.rows(reader.now())
            self.tell({"tell": "list", "isWhole": reader.catalog.is_whole, "mayCount": reader.may_count, "rows": rows})

    def _tell_counts(self, ids: Iterable[str]) -> None:
        told = {}
        for id_ in ids:
            depth = self._reader.counts.readings[id_].depth
            numbers = [None, None] if depth is None else [depth.messages, depth.in_flight]
            told[self._reader.catalog.name_of(id_)] = [*numbers, self._reader.age(id_)]
        if told:
            self.tell({"tell": "counts", "of": told})

    def _show_picked(self) -> None:
        if not self.value:
            self.change(kind="", info={}, _picked={})
            return
        catalog = self._reader.catalog
        entry = catalog.get(self.value)
        reading = self._reader.counts.readings.get(self.value)
        depth = None if reading is None else reading.depth
        is_listed = None if self._reader.listing is None else entry is not None
        info = {
            "id": self.value,
            "kind": entry.kind if entry else "",
            "is_listed": is_listed,
            "is_fallback": entry is not None and entry.is_fallback,
            "dead_letter_queue": entry.dead_letter_queue if entry else None,
            "dead_letters_of": list(entry.dead_letters_of) if entry else [],
            "max_deliveries": entry.max_deliveries if entry else None,
            "messages": depth.messages if depth else None,
            "in_flight": depth.in_flight if depth else None,
            "read_at": reading.read_at if reading else None,
        }
        self.change(kind=info["kind"], info=info, _picked={"name": catalog.name_of(self.value), "isListed": is_listed})

    def _remember(self) -> None:
        listing = self._reader.listing
        if not self.value or listing is None or self._remembered is None:
            return
        if listing.catalog.is_whole and self.value not in listing.catalog:
            return  # a slip of the keyboard is not worth remembering
        try:
            self._remembered.note(listing.place, self.value)
        except OSError as error:
            self.change(note=f"The name could not be remembered in {self._remembered.path}: {plain(error)}")

    def _words(self) -> list[str]:
        picked = f"{self.value!r} ({self.kind or 'kind not known'}) is picked" if self.value else "nothing is picked"
        return [line for line in (f"DestinationPicker: {picked}; {self.summary}", self.note) if line]
