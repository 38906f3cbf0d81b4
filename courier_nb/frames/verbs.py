"""``frame.courier``: the verbs for the rows of any DataFrame, and the key by which a frame names its client."""

from __future__ import annotations

import pandas as pd

import courier_nb

NAME = "courier"
ORIGIN = "courier_nb.client"


class Origin(str):
    """Key of the client that received the rows of a frame; empty when there is none.

    All are equal. pandas keeps the attributes of a concatenation only where those of all parts are equal, and the mark that a
    frame holds foreign text must not be lost because its rows came through two clients. The key of the first part is kept.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    def __ne__(self, other: object) -> bool:
        return not isinstance(other, str)

    def __hash__(self) -> int:
        return hash(Origin)


def of_client(frame: pd.DataFrame, key: str) -> pd.DataFrame:
    """Note in a frame which client its rows came through, by a key that says nothing else, and return the frame."""
    frame.attrs[ORIGIN] = Origin(key)
    return frame


def give_frames_verbs() -> None:
    """Let every DataFrame have ``.courier``, unless another package has given it one."""
    if not hasattr(pd.DataFrame, NAME):
        pd.api.extensions.register_dataframe_accessor(NAME)(_open)  # type: ignore[type-var]  # any callable will do


def _open(frame: pd.DataFrame) -> object:
    """Return the verbs for the rows of a frame: ack, nack, extend, publish, replay, where, body, flatten."""
    return courier_nb.CourierAccessor(frame)  # which lives above this layer, and is loaded when it is first used
