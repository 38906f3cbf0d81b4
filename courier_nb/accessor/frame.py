"""`CourierAccessor`: what ``frame.courier`` is."""

from __future__ import annotations

import pandas as pd

from courier_nb.accessor.acting import ActingVerbs
from courier_nb.accessor.looking import LookingVerbs


class CourierAccessor(ActingVerbs, LookingVerbs):
    """The verbs for the rows of a DataFrame, as ``frame.courier``.

    The verbs that send something act through the client that the rows were received with, for as long as it is in use; others
    are given with ``client=``. Where rows come from several destinations, `ack`, `nack`, `extend` and `replay` act on each in
    turn, and the report has one outcome a row, in the order of the rows. `where`, `body` and `flatten` ask the service nothing.

    Parameters
    ----------
    frame : DataFrame
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def __repr__(self) -> str:
        return f"<courier: verbs for {len(self._frame)} rows>"
