"""Where a ledger records what was published: the identity of a target, and the ledger in a capture's folder."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from anyio import to_thread

from courier_nb.core.errors import CourierError, DestinationNotFound
from courier_nb.flows.replaying.fifo import is_fifo
from courier_nb.flows.replaying.wish import Wish
from courier_nb.storage.layout import Layout, create_layout
from courier_nb.storage.replays.ledger import Ledger
from courier_nb.wire.operations import Operations
from courier_nb.wire.session import Session


def target_name(session: Session, operations: Operations, destination: str) -> str:
    """Return the identity of a destination in ledgers: environment, region and name."""
    return f"{operations.place.environment}/{session.region_hint or ''}/{destination}"


async def settle_wish(session: Session, destination: str, wish: Wish) -> Wish:
    """Return the wish with what can be found out about its target."""
    fifo = wish.fifo if wish.fifo is not None else await is_fifo(session, destination)
    return replace(wish, fifo=fifo, clock_ahead=session.sender.clock_ahead)


async def check_exists(session: Session, destination: str) -> None:
    """Refuse a target that the Admin API does not know, before a message is received for it; where it cannot be read, go on.

    Raises
    ------
    DestinationNotFound
    """
    try:
        if (await session.tokens.current()).kind == "client_app":
            return  # its token is not valid on the Admin API
        infos = await (await session.admin()).destinations(await session.region())
    except CourierError as error:
        if error.before_sending:
            raise
        return
    if all(info.id != destination for info in infos):
        raise DestinationNotFound(
            f"There is no queue or exchange {destination!r} in this environment and region; nothing was received.",
            status=404,
            operation="look_up",
        )


async def open_ledger_in(root: Path, session: Session, operations: Operations, destination: str) -> Ledger:
    """Open the ledger of a capture's folder, which is made if it is not there.

    Raises
    ------
    CaptureError, CaptureDamaged
        When it cannot be used.
    """
    await to_thread.run_sync(create_layout, root)
    return await to_thread.run_sync(partial(Ledger, Layout(root).ledger, target_name(session, operations, destination)))
