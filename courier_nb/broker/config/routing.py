"""Routing rules: which messages an exchange passes on to a queue."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from courier_nb.broker.config.checks import check_word, wrong
from courier_nb.core import exactjson

STRING, NUMERIC = "STRING", "NUMERIC"
MATCHERS = {
    STRING: ("EQ", "PREFIX", "ANY_OF", "NONE_OF", "EXISTS"),
    NUMERIC: ("EQ", "LT", "LE", "GT", "GE", "RANGE", "NONE_OF", "EXISTS"),
}
MAX_NAME_BYTES = 180
MAX_VALUE_BYTES = 45 * 1024
MAX_SET = 150
MAX_NUMBER = 10**9
# Beyond either, a message is routed as if it had no headers and properties at all.
MAX_ATTRIBUTES = 500
MAX_ATTRIBUTE_BYTES = 215 * 1024

_TEXT = re.compile(r"[\w\s()@!&|#$%;:,.'-]+", re.ASCII)
_TEXT_RULE = " (texts of letters, digits, whitespace and ( ) @ ! & | # $ % - _ ; : , . ')"

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "EQ": lambda found, value: bool(found == value),
    "LT": lambda found, value: bool(found < value),
    "LE": lambda found, value: bool(found <= value),
    "GT": lambda found, value: bool(found > value),
    "GE": lambda found, value: bool(found >= value),
    "RANGE": lambda found, value: bool(value[0] <= found <= value[1]),
    "PREFIX": lambda found, value: str(found).startswith(value),
    "ANY_OF": lambda found, value: found in value,
    "NONE_OF": lambda found, value: found not in value,
}


@dataclass(frozen=True, slots=True)
class RoutingRule:
    """One condition on one header or property.

    Attributes
    ----------
    property_name : str
        At most 180 bytes.
    property_type : {"STRING", "NUMERIC"}
        Types are not converted: a number sent as a text does not match a numeric rule.
    matcher : str
        STRING: EQ, PREFIX, ANY_OF, NONE_OF, EXISTS. NUMERIC: EQ, LT, LE, GT, GE, RANGE, NONE_OF, EXISTS.
    value : str, number, bool or tuple
        Texts hold letters, digits, whitespace and ``()@!&|#$%-_;:,.'`` of ASCII, and are not empty.
        A tuple for ANY_OF, NONE_OF (at most 150) and RANGE (two numbers, both included); true or false for EXISTS.

    Raises
    ------
    ConfigError
        When a value is outside its limits.
    """

    property_name: str
    property_type: str
    matcher: str
    value: Any

    def __post_init__(self) -> None:
        if not isinstance(self.property_name, str) or not 1 <= _bytes(self.property_name) <= MAX_NAME_BYTES:
            raise wrong("propertyName", self.property_name, f"a text of 1 to {MAX_NAME_BYTES} bytes")
        check_word("propertyType", self.property_type, MATCHERS)
        check_word(f"matcherType of a {self.property_type} rule", self.matcher, MATCHERS[self.property_type])
        if isinstance(self.value, list):
            object.__setattr__(self, "value", tuple(self.value))
        self._check_value()

    def matches(self, attributes: Mapping[str, Any]) -> bool:
        """Tell whether a message with these headers and properties passes.

        Parameters
        ----------
        attributes : mapping
            Names to values as published.
        """
        is_there = self.property_name in attributes
        if self.matcher == "EXISTS":
            return is_there is self.value
        if not is_there:
            return False
        found = attributes[self.property_name]
        fits = isinstance(found, str) if self.property_type == STRING else _is_number(found)
        return fits and _COMPARE[self.matcher](found, self.value)

    def _check_value(self) -> None:
        one, what = (_is_text, "a text") if self.property_type == STRING else (_is_in_range, "a number from -10^9 to 10^9")
        match self.matcher:
            case "EXISTS":
                good, what = isinstance(self.value, bool), "true or false"
            case "ANY_OF" | "NONE_OF":
                good = isinstance(self.value, tuple) and 1 <= len(self.value) <= MAX_SET and all(map(one, self.value))
                what = f"a list of 1 to {MAX_SET} values, each {what}"
            case "RANGE":
                good = isinstance(self.value, tuple) and len(self.value) == 2 and all(map(one, self.value))
                good = good and self.value[0] < self.value[1]
                what = "two numbers from -10^9 to 10^9, the first less than the second"
            case _:
                good = one(self.value)
        if not good:
            raise wrong("value", self.value, f"{what} for {self.matcher}{_TEXT_RULE if one is _is_text else ''}")
        if self.property_type == STRING and len(exactjson.dumps(self.value)) > MAX_VALUE_BYTES:
            raise wrong("value", "a text too long to show", f"at most {MAX_VALUE_BYTES} bytes")


def visible_to_rules(headers: Mapping[str, Any], properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what rules see of a message: headers and properties, or nothing when there is too much of them."""
    if len(headers) + len(properties) >= MAX_ATTRIBUTES:
        return {}
    attributes = {**headers, **properties}
    if len(exactjson.dumps(attributes)) > MAX_ATTRIBUTE_BYTES:
        return {}
    return attributes


def _is_text(value: object) -> bool:
    return isinstance(value, str) and _TEXT.fullmatch(value) is not None


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_in_range(value: Any) -> bool:
    return _is_number(value) and -MAX_NUMBER <= value <= MAX_NUMBER
