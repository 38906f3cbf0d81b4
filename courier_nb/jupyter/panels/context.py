"""What the panels of one workbench share."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import traitlets

from courier_nb.blocking.client import Client, inner_of
from courier_nb.client import AsyncClient
from courier_nb.core.clock import Clock, SystemClock
from courier_nb.core.errors import InvalidArgument
from courier_nb.flows.locks.listeners import LockNews
from courier_nb.jupyter.panels.recording import Code, Variables
from courier_nb.jupyter.script import Script, connecting
from courier_nb.jupyter.turns import Turns

if TYPE_CHECKING:
    import pandas as pd

    from courier_nb.connection import Connection

_SETTLED = ("acked", "returned", "dead-lettered", "put_back")


class Browser(Protocol):
    """What the panels need of a table of messages; rows are positions in its frame."""

    selected_rows: Any

    @property
    def version(self) -> int: ...

    @property
    def capture(self) -> Path | None: ...

    @property
    def frame(self) -> pd.DataFrame: ...

    @property
    def selected(self) -> pd.DataFrame: ...

    @property
    def visible_rows(self) -> list[int]: ...

    def __len__(self) -> int: ...

    def show(self, source: Any) -> None: ...

    def append(self, source: Any) -> None: ...

    def mark(self, rows: Iterable[int], state: str) -> None: ...

    def flag(self, rows: Iterable[int], word: str, *, on: bool = True) -> None: ...

    def state_of(self, row: int) -> str: ...

    def flags_of(self, row: int) -> set[str]: ...

    def extend_locks(self, rows: Iterable[int], expires: datetime) -> None: ...

    def observe(self, handler: Any, names: Any = ...) -> None: ...


class Editor(Protocol):
    """What the replay panel needs of the body viewer: rows with the edits made there, and the Python of the edits."""

    edited_rows: Any

    def edited_frame(self, frame: pd.DataFrame) -> pd.DataFrame: ...

    def edit_code(self, rows_name: str = ...) -> str: ...


class Context(traitlets.HasTraits):
    """The client, the turn, the script, and the table that the panels act on.

    Parameters
    ----------
    client : Client
    turns : Turns, optional
        Shared by panels of which only one may act at a time; default: one of its own.
    script : Script, optional
        Where actions are written down as Python.
    picker : DestinationPicker, optional
        Its ``value`` is the destination.
    browser : MessageBrowser, optional
    viewer : BodyViewer, optional
        Its edits are replayed.
    destination : str
        Where there is no picker.
    clock : Clock, optional
        By which a confirmation that nobody gives is withdrawn.

    Attributes
    ----------
    destination : str
        Observable.
    capture : str
        Folder of the last capture that a panel made.
    last_drain : str
        Its run.
    """

    destination = traitlets.Unicode("")
    capture = traitlets.Unicode("")
    last_drain = traitlets.Unicode("")

    def __init__(
        self,
        client: Client,
        *,
        turns: Turns | None = None,
        script: Script | None = None,
        picker: Any = None,
        browser: Browser | None = None,
        viewer: Editor | None = None,
        destination: str = "",
        clock: Clock | None = None,
    ) -> None:
        super().__init__(destination=destination)
        if not isinstance(client, Client):
            raise InvalidArgument(f"client is {type(client).__name__}; the blocking Client of courier_nb.connect() was expected.")
        self.client = client
        self.inner: AsyncClient = inner_of(client)
        self.turns = turns or Turns()
        self.script = script or Script(connecting(client.settings, is_embedded=self.inner.is_embedded))
        self.browser = browser
        self.viewer = viewer
        self.clock = clock or SystemClock()
        self.settled: set[str] = set()
        """Locks of messages that a panel or a cell acknowledged or returned."""
        self.connection.keeper.on_settled(self._note_settled)
        self._variables = Variables()
        self._shown: object = None
        if picker is not None:
            traitlets.dlink((picker, "value"), (self, "destination"), lambda value: value or "")

    @property
    def connection(self) -> Connection:
        """What the client and its destinations share."""
        return self.inner._connection

    def write(self, code: Code) -> str:
        """Return the Python of a step that was not done yet."""
        draft = self._draft()
        code(draft)
        return "\n".join(draft.lines)

    def record(self, code: Code) -> str:
        """Add a step that was done to the script, and return its Python."""
        draft = self._draft()
        code(draft)
        lines, draft.lines = draft.lines, []
        self._variables = draft
        return self.script.add(*lines)

    def shown(self) -> None:
        """Note that what the table shows now is what the script calls ``rows``."""
        self._shown = self._filling

    def set(self, **values: str) -> None:
        """Set ``capture`` and ``last_drain`` together."""
        with self.hold_trait_notifications():
            for name, value in values.items():
                setattr(self, name, value)

    def confirm(self, destination: str) -> str | None:
        """Return what ``confirm=`` must be, as far as that is known without asking."""
        return destination if self.connection.session.settings.production else None

    async def needs_name(self) -> bool:
        """Return whether destructive verbs want the destination's name typed, as the guards decide it."""
        return bool(await self.connection.session.production())

    def _note_settled(self, news: LockNews) -> None:
        self.settled.update(lock for lock, state in news.states.items() if state in _SETTLED)

    @property
    def version(self) -> int:
        """Of the table's rows: another one after other rows were shown, the same after more were added."""
        return 0 if self.browser is None else self.browser.version

    @property
    def _filling(self) -> tuple[int, int]:
        return self.version, 0 if self.browser is None else len(self.browser)

    def _draft(self) -> Variables:
        draft = self._variables.copy()
        if self.browser is not None and self._filling != self._shown:
            draft.rows = ""
            draft.shown_capture = str(self.browser.capture or "")
        return draft
