"""Conditions on JSON bodies: RFC 9535 filter expressions in which ``$`` is the body of the row."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from jsonpath import JSONPathEnvironment, JSONPathError
from jsonpath.filter import BaseExpression, FloatLiteral, IntegerLiteral
from jsonpath.match import NodeList
from jsonpath.parse import Parser
from jsonpath.selectors import Filter, FilterContext
from jsonpath.stream import TokenStream

from courier_nb.accessor.bodies import number_of
from courier_nb.core.errors import FrameError
from courier_nb.core.printable import plain

_BEFORE, _AFTER = "$[?(", ")]"
_EXAMPLES = "such as '$.order.total > 100', '$.items[*].sku == \"A1\"' or '$.customer.email and not $.paid'"


class _Parser(Parser):
    """Numbers as they are written; the library's own takes them all through floats."""

    def parse_integer_literal(self, stream: TokenStream) -> BaseExpression:
        text = stream.next().value
        return IntegerLiteral(value=int(text)) if text.lstrip("-").isdigit() else _number(text)

    def parse_float_literal(self, stream: TokenStream) -> BaseExpression:
        return _number(stream.next().value)


class _Environment(JSONPathEnvironment):
    """A query that finds several values compares as any of them does."""

    parser_class = _Parser
    max_recursion_depth = 500

    def compare(self, left: object, operator: str, right: object) -> bool:
        if operator in ("&&", "||"):
            return super().compare(left, operator, right)
        pairs = ((a, b) for a in _any_of(left) for b in _any_of(right))
        return any(super(_Environment, self).compare(_written(a, b), operator, _written(b, a)) for a, b in pairs)


_ENVIRONMENT = _Environment(well_typed=False)  # otherwise a query that may find several values cannot be compared


def condition(expression: str) -> Callable[[Any], bool]:
    """Return whether the value of a JSON document meets a condition, as a function of the value.

    Raises
    ------
    FrameError
        When the expression is no condition; it names the expression and the place.
    """
    if not isinstance(expression, str):
        raise FrameError(f"The condition is of type {type(expression).__name__}, expected a text {_EXAMPLES}.")
    try:
        query = _ENVIRONMENT.compile(f"{_BEFORE}{expression}{_AFTER}")
        (segment,) = query.segments  # type: ignore[union-attr]
        (chosen,) = segment.selectors
    except (JSONPathError, AttributeError, ValueError, RecursionError) as error:
        raise _not_a_condition(expression, error) from None
    if not isinstance(chosen, Filter):
        raise _not_a_condition(expression, ValueError("it is not a condition"))
    found = chosen.expression

    def holds(value: Any) -> bool:
        # The library reads a text that it is to look into as JSON, so a value that is a text is given to it as JSON.
        root = json.dumps(value) if isinstance(value, str) else value
        return found.evaluate(FilterContext(env=_ENVIRONMENT, current=value, root=root))

    return holds


def _not_a_condition(expression: str, error: Exception) -> FrameError:
    why = str(error).split("\n", 1)[0]
    token = getattr(error, "token", None)
    place = f" (character {max(0, token.index - len(_BEFORE)) + 1})" if token is not None else ""
    return FrameError(
        f"The condition {plain(expression)!r} cannot be read: {plain(why)}{place}. $ is the body of a row; write it {_EXAMPLES}.",
        columns=["body"],
    )


def _any_of(side: object) -> list[object]:
    """Return what is compared: each value of a query that found several; a query that found nothing stays what it is."""
    return side.values() if isinstance(side, NodeList) and len(side) > 1 else [side]


def _written(value: object, other: object) -> object:
    """Return a float that is compared with a Decimal as the number that was written, which is not the one that it is."""
    return Decimal(repr(value)) if isinstance(value, float) and isinstance(other, Decimal) else value


def _number(text: str) -> BaseExpression:
    return FloatLiteral(value=number_of(text))  # type: ignore[arg-type]  # a Decimal where a float would be another number
