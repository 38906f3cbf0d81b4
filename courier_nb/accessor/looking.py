"""The verbs for the rows of a frame that look into their bodies. They ask the service nothing."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from courier_nb.accessor import flattening
from courier_nb.accessor.bodies import NOT_JSON, bodies_of, shown_value, value_of
from courier_nb.accessor.conditions import condition
from courier_nb.core.errors import InvalidArgument


class LookingVerbs:
    """Where, body and flatten."""

    _frame: pd.DataFrame

    def where(self, condition_on_body: str) -> pd.DataFrame:
        """Return the rows whose JSON body meets a condition, such as ``$.order.total > 100``.

        Parameters
        ----------
        condition_on_body : str
            A filter expression of RFC 9535 in which ``$`` is the body of the row: comparisons (``== != < <= > >=``), ``and``,
            ``or``, ``not`` (or ``&& || !``), parentheses, existence (``$.a.b``), and functions such as ``length($.items)`` and
            ``match($.name, "A.*")``. A query that finds several values compares as any of them does:
            ``$.items[*].sku == "A1"``. Numbers are compared as they are written, also beyond 64 bits. ``!=`` also holds where
            there is no such value.

        Returns
        -------
        DataFrame
            Rows in their order. Rows without a JSON body never match; a warning says how many there were, and `not_json` gives
            them.

        Raises
        ------
        FrameError
            When the condition cannot be read, or the frame has no bodies.
        """
        holds = condition(condition_on_body)
        chosen = np.zeros(len(self._frame), dtype=bool)
        not_json = too_deep = 0
        for row, body in enumerate(bodies_of(self._frame)):
            value = value_of(body)
            if value is NOT_JSON:
                not_json += 1
                continue
            try:
                chosen[row] = holds(value)
            except RecursionError:
                too_deep += 1
        if not_json:
            _warn(f"{not_json} of {len(chosen)} rows have no JSON body and cannot match; frame.courier.not_json gives them.")
        if too_deep:
            _warn(f"{too_deep} bodies are nested too deeply to be looked into, and count as no match.")
        return self._frame[chosen]

    @property
    def not_json(self) -> pd.DataFrame:
        """The rows whose body is no JSON document, or that have none."""
        return self._frame[np.array([value_of(body) is NOT_JSON for body in bodies_of(self._frame)], dtype=bool)]

    def body(self, row: Any = None) -> Any:
        """Return the bodies, parsed where they are JSON.

        Parameters
        ----------
        row : label, optional
            The label of one row, as the frame's index has it.

        Returns
        -------
        Series or object
            For each row: what the JSON document holds, as Python objects, with integers exact and other numbers as
            `decimal.Decimal` where a float would change them; ``NULL`` for a JSON null; the text itself where it is no JSON;
            bytes for a body that is no text; None where there is no body. With `row`, that of one row.

        Raises
        ------
        InvalidArgument
            When there is no such row, or there are several.
        FrameError
            When the frame has no bodies.
        """
        if row is not None:
            return next(map(shown_value, bodies_of(self._one(row))))
        values = np.empty(len(self._frame), dtype=object)
        for place, body in enumerate(bodies_of(self._frame)):
            values[place] = shown_value(body)
        series = pd.Series(values, index=self._frame.index, name="body", dtype=object)
        series.attrs = dict(self._frame.attrs)
        return series

    def flatten(self, prefix: str = "body.", *, max_columns: int = 100) -> pd.DataFrame:
        """Return the frame with a column for each place in its JSON bodies, such as ``body.order.total``.

        Parameters
        ----------
        prefix : str
            Begins the names of the new columns. A name in the document that holds a dot is written in quotes.
        max_columns : int
            At most so many new columns: those that most rows have.

        Returns
        -------
        DataFrame
            The same rows and columns, and behind them the new ones: dtype ``str``, ``Int64``, ``Float64`` or ``boolean``, and
            ``object`` with exact values where a place holds several kinds or a number that does not fit. Arrays stay JSON text,
            as does an empty object. A null is missing, as is a place that the document does not have.

            A warning says what is in no column: places beyond `max_columns`, and how many bodies are no JSON object.

        Raises
        ------
        InvalidArgument
            When `prefix` or `max_columns` cannot be meant.
        FrameError
            When the frame has no bodies, or columns of these names already.

        Notes
        -----
        The new columns are no part of a message: to publish the rows, take them of the frame before,
        ``frame.loc[flat[...].index]``.
        """
        flat = flattening.flatten(self._frame, prefix, max_columns)
        for note in flat.notes:
            _warn(note)
        return flat.frame

    def _one(self, row: Any) -> pd.DataFrame:
        try:
            places = np.atleast_1d(np.arange(len(self._frame))[self._frame.index.get_loc(row)])
        except (KeyError, TypeError, pd.errors.InvalidIndexError):
            places = np.array([], dtype=int)
        if len(places) != 1:
            raise InvalidArgument(
                f"{len(places)} rows have the label {row!r}, expected one: give a label of the frame's index, such as "
                "frame.index[0], or take body() of all rows."
            )
        return self._frame.iloc[places]


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=3)
