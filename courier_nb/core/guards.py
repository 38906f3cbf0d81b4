"""What needs more than being asked for: read_only refuses it, production wants the destination's name typed."""

from __future__ import annotations

from courier_nb.core.errors import ConfirmationNeeded, ReadOnly

DESTRUCTIVE = {
    "ack": "delete messages of it for good",
    "drain": "delete its messages once they are on disk",
    "publish": "put messages into it",
    "replay": "put messages into it",
    "move": "move messages out of it",
    "put_back": "put messages into it",
    "undo": "put messages into it",
    "probe": "put messages into it and delete them",
}
"""Verb -> what it does to the destination. These are refused by read_only and need the name typed in production."""


def refuse_if_read_only(verb: str, destination: str, *, read_only: bool) -> None:
    """Refuse a verb that adds or deletes messages on a connection that may not.

    Raises
    ------
    ReadOnly
    """
    if read_only and verb in DESTRUCTIVE:
        raise ReadOnly(
            f"{verb} on {destination!r} would {DESTRUCTIVE[verb]}, and this connection is read_only. Nothing was sent. "
            "Connect without read_only (keyword, environment variable ANYPOINT_MQ_READ_ONLY, profile) to do it.",
            verb=verb,
            destination=destination,
        )


def require_name(verb: str, destination: str, confirm: str | None) -> None:
    """Refuse a verb that adds or deletes messages in production, unless the destination's name was typed.

    Raises
    ------
    ConfirmationNeeded
    """
    if verb in DESTRUCTIVE and confirm != destination:
        instead = "" if confirm is None else f" (confirm is {confirm!r}, which is not its name)"
        raise ConfirmationNeeded(
            f"{destination!r} is in production, and {verb} would {DESTRUCTIVE[verb]}{instead}. Nothing was sent. To do it, "
            f"type its name: confirm={destination!r} (command line: --confirm). dry_run shows what would be done.",
            verb=verb,
            destination=destination,
        )
