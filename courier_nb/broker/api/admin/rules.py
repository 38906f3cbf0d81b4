"""A routing rule out of a request."""

from __future__ import annotations

from typing import Any

from courier_nb.broker.api.admin.fields import Fields
from courier_nb.broker.api.values import wrong
from courier_nb.broker.config.routing import RoutingRule
from courier_nb.broker.config.switches import Switches

_RULE = ("propertyName", "propertyType", "matcherType", "value")


def read_rule(fields: Fields, switches: Switches) -> RoutingRule:
    """Return the rule that a request sets.

    Raises
    ------
    Refusal
        400 when it is not exactly one, or has not all of its parts.
    ConfigError
        When a part of it is not what it may be.
    """
    rules = fields.get("routingRules")
    if not isinstance(rules, list) or len(rules) != 1 or not isinstance(rules[0], dict):
        raise wrong("routingRules", rules, "a list of one object, as a binding has one rule")
    rule = Fields(rules[0])
    rule.check_known(_RULE, switches)
    for name in _RULE:
        if rule.get(name) is None:
            raise wrong(name, None, f"all of {', '.join(_RULE)} in a rule")
    value = rule.get("value")
    if not all(map(_is_plain, value if isinstance(value, list) else [value])):
        raise wrong("value", value, "a text, a number, true or false, or a list of texts or numbers")
    return RoutingRule(str(rule.text("propertyName")), str(rule.text("propertyType")), str(rule.text("matcherType")), value)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float)
