"""The workbench: find the queue, see what is stuck, pick the messages, and ack, return, repair or replay them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets
from ipywidgets import widget_serialization

from courier_nb.blocking.client import Client, inner_of
from courier_nb.core.printable import plain
from courier_nb.flows.locks.listeners import LockNews
from courier_nb.flows.reports import Received
from courier_nb.jupyter.assets import bundle
from courier_nb.jupyter.bodies.viewer import BodyViewer
from courier_nb.jupyter.browser.browser import MessageBrowser
from courier_nb.jupyter.browser.hearing import Hearing
from courier_nb.jupyter.panels.context import Context
from courier_nb.jupyter.panels.drain import DrainPanel
from courier_nb.jupyter.panels.move import MovePanel
from courier_nb.jupyter.panels.receive import ReceivePanel
from courier_nb.jupyter.panels.replay import ReplayPanel
from courier_nb.jupyter.panels.settle import SettlePanel
from courier_nb.jupyter.picker.picker import DestinationPicker
from courier_nb.jupyter.script import Script, connecting
from courier_nb.jupyter.tasks import BackgroundTask, Ended
from courier_nb.jupyter.turns import Turns
from courier_nb.jupyter.widget import CourierWidget
from courier_nb.storage.capture import Capture

if TYPE_CHECKING:
    import pandas as pd


class Workbench(CourierWidget):
    """All parts together; ``client.browse()`` makes one.

    Parameters
    ----------
    client : Client
        Blocking client; it stays the caller's to close.
    source : DataFrame, Received, Capture or path of a capture, optional
        Shown in the table from the beginning.
    destination : str, optional
        Picked from the beginning.

    Attributes
    ----------
    picker : DestinationPicker
    browser : MessageBrowser
    viewer : BodyViewer
    receive, settle, drain, replay, move : panels
    script : Script
        The Python of every action so far; ``workbench.script.text`` is the whole.
    mode : dict
        ``connection`` (str), ``production`` (bool or None) and ``read_only`` (bool), always in sight.
    busy : str
        What is under way, in words; empty when nothing is.
    held : str
        What the client holds, in words, shown in the table or not; empty when it holds nothing.
    tab : str
        The action in front: Receive, Settle, Drain, Replay, Move or Python.
    """

    _esm = bundle("common.js", "workbench.js")
    _css = bundle("theme.css", "workbench.css")

    mode = traitlets.Dict().tag(sync=True)
    busy = traitlets.Unicode("").tag(sync=True)
    held = traitlets.Unicode("").tag(sync=True)
    tab = traitlets.Unicode("Receive").tag(sync=True)
    steps = traitlets.Int(0).tag(sync=True)
    _tabs: traitlets.List[str] = traitlets.List().tag(sync=True)
    _parts = traitlets.Dict().tag(sync=True, **widget_serialization)

    def __init__(
        self,
        client: Client,
        source: pd.DataFrame | Received | Capture | str | Path | None = None,
        *,
        destination: str | None = None,
    ) -> None:
        self.client = client
        inner = inner_of(client)
        self.script = Script(connecting(client.settings, is_embedded=client.is_embedded))
        self.turns = Turns()
        self.picker = DestinationPicker(client)
        self.browser = MessageBrowser(source, client=client)
        self.viewer = BodyViewer(self.browser)
        context = Context(
            client, turns=self.turns, script=self.script, picker=self.picker, browser=self.browser, viewer=self.viewer
        )
        self.receive = ReceivePanel(context=context)
        self.settle = SettlePanel(context=context)
        self.drain = DrainPanel(context=context)
        self.replay = ReplayPanel(context=context)
        self.move = MovePanel(context=context)
        tabs = {"Receive": self.receive, "Settle": self.settle, "Drain": self.drain, "Replay": self.replay, "Move": self.move}
        super().__init__()
        self.change(
            mode=_mode(client, "asking …"),
            _tabs=list(tabs),
            _parts={"picker": self.picker, "browser": self.browser, "viewer": self.viewer, **tabs},
        )
        self.turns.on_change(self._show_turn)
        self._hearing = Hearing(lambda news: self._show_held())
        context.connection.keeper.on_settled(self._hear)
        self._show_held()
        if destination is not None:
            self.picker.value = destination
        self._asking = BackgroundTask(inner.is_production, on_tick=lambda _: None, on_end=self._show_mode)

    def close(self) -> None:
        """Close all parts. What is held stays held until the client closes or gives it back."""
        for part in (*self._parts.values(), super()):
            part.close()

    def _show_turn(self) -> None:
        self.change(busy=self.turns.busy_with, steps=len(self.script.steps))
        self._show_held()

    def _hear(self, news: LockNews) -> None:
        self._hearing.hear(news)

    def _show_held(self) -> None:
        found = self.client.held().destinations
        each = ", ".join(f"{count} of {plain(name)}" for name, count in found.items())
        self.change(held=f"Holding {sum(found.values())} messages: {each}" if found else "")

    def _show_mode(self, ended: Ended[bool | None]) -> None:
        why = "nobody says" if ended.error is None else f"{type(ended.error).__name__}"
        self.change(mode=_mode(self.client, why))

    def _do_script(self, message: dict[str, Any], buffers: object) -> None:
        self.tell({"tell": "script", "text": self.script.text})

    def _words(self) -> list[str]:
        place = self.mode.get("connection", "not connected")
        production = {True: "production", False: "not production", None: "production not known"}[self.mode.get("production")]
        access = "read only" if self.mode.get("read_only") else "may write"
        picked = f"destination {self.picker.value!r}" if self.picker.value else "no destination picked"
        held = [self.held] if self.held else []
        return [f"Workbench of {place}: {production}, {access}, {picked}", *held, *self.browser._words()]


def _mode(client: Client, why_unknown: str) -> dict[str, Any]:
    settings = client.settings
    where = settings.mq_url or settings.region or "the service"
    environment = f", environment {settings.environment}" if settings.environment else ""
    return {
        "connection": "embedded broker of this kernel" if client.is_embedded else f"{where}{environment}",
        "production": settings.production,
        "production_note": f"production: not known ({why_unknown})",
        "read_only": settings.read_only,
    }
