"""Faults: what the broker does wrong on purpose, to which requests, and when."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from courier_nb.broker.config.checks import check_flag, check_name, check_range, check_word, one_of, wrong
from courier_nb.core.errors import ConfigError

FaultKind = Literal[
    "unauthorized",
    "forbidden",
    "throttled",
    "error",
    "unavailable",
    "plain_text",
    "delay",
    "cut_before",
    "cut_after",
    "truncated",
    "short_batch",
    "duplicate",
    "item_failure",
    "object_not_array",
    "stats_lag",
]
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)

MESSAGE_OPERATIONS = (
    "receive",
    "publish_batch",
    "ack_batch",
    "extend_batch",
    "nack_batch",
    "publish",
    "ack",
    "extend",
    "nack",
)
OPERATIONS = (*MESSAGE_OPERATIONS, "authorize", "accounts", "admin", "stats")

_ONLY: dict[str, tuple[str, ...]] = {
    "short_batch": ("receive",),
    "duplicate": ("receive",),
    "item_failure": ("publish_batch", "ack_batch", "extend_batch", "nack_batch"),
    "object_not_array": ("ack_batch", "nack_batch"),
    "stats_lag": ("stats",),
}
"""The kinds that only some operations can show."""

_VALUES: dict[str, tuple[str, ...]] = {
    "seconds": ("delay", "stats_lag"),
    "retry_after": ("throttled", "unavailable"),
    "status": ("plain_text",),
    "content_type": ("plain_text",),
    "text": ("forbidden", "throttled", "error", "unavailable", "plain_text", "item_failure"),
    "effect": ("error", "unavailable", "plain_text"),
    "limit": ("short_batch",),
    "items": ("item_failure",),
    "share": ("item_failure",),
}
"""The values that only some kinds take."""

_NEEDED = {"delay": "seconds", "stats_lag": "seconds", "short_batch": "limit"}
_OFTEN = 10**9
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong on purpose.

    Of the faults of a broker at most one strikes a request: the first in their order whose turn it is. Each counts all the
    requests that it concerns, also those that another one strikes; a turn that another one took is not made up for.

    Attributes
    ----------
    kind : str
        ``unauthorized`` (401; the token of the request ends, so that only a new one helps), ``forbidden`` (403), ``throttled``
        (429), ``error`` (500), ``unavailable`` (503), ``plain_text`` (an error that is not JSON), ``delay`` (the answer comes
        late), ``cut_before`` (connection cut, nothing happens), ``cut_after`` (it happens, then the connection is cut before any
        byte of the answer), ``truncated`` (it happens, half of the answer arrives), ``short_batch`` (a receive gives fewer
        messages), ``duplicate`` (a receive leaves a copy of what it gives in a standard queue), ``item_failure`` (items of a
        batch fail, and nothing happens to them), ``object_not_array`` (one object answers a batch ack or nack), ``stats_lag``
        (the live depth is old).
    operations : tuple of str
        What it concerns: ``receive``, ``publish_batch``, ``ack_batch``, ``extend_batch``, ``nack_batch``, ``publish``, ``ack``,
        ``extend``, ``nack``, ``authorize`` (of the broker API), ``accounts``, ``admin``, ``stats``. Empty means those of the
        first nine that can show the kind (``stats`` for ``stats_lag``).
    destination : str or None
        Only requests for this queue or exchange; None means all.
    after : int
        So many of the requests it concerns are spared first.
    every : int
        Then each so manieth has its turn, beginning with the next.
    times : int or None
        How often it strikes at the most.
    probability : float or None
        In place of `every`: each request after the first `after` has its turn with this probability.
    seed : int
        Of what is drawn by lot: the same fault with the same seed draws the same lots for the same requests.
    seconds : float or None
        ``delay``: how late, by the broker's clock. ``stats_lag``: how old the depth may be.
    retry_after : int or None
        ``throttled``, ``unavailable``: the header ``Retry-After``, in seconds; None sends none.
    status : int or None
        ``plain_text``: 400 to 599; None means 502.
    text : str or None
        The body of ``plain_text``, the ``statusMessage`` of the others; None means the status's usual words.
    content_type : str or None
        ``plain_text``: for instance ``text/html``; None means ``text/plain``.
    effect : bool
        ``error``, ``unavailable``, ``plain_text``: whether what is asked for happens all the same.
    limit : int or None
        ``short_batch``: how many messages at the most; 0 answers 204 at once.
    items : tuple of int
        ``item_failure``: which items, counted from 0.
    share : float or None
        ``item_failure``, in place of `items`: each item fails with this probability.

    Raises
    ------
    ConfigError
        When a value is outside its limits, or the kind or the operations cannot have it.
    """

    kind: FaultKind
    operations: tuple[str, ...] = ()
    destination: str | None = None
    after: int = 0
    every: int = 1
    times: int | None = None
    probability: float | None = None
    seed: int = 0
    seconds: float | None = None
    retry_after: int | None = None
    status: int | None = None
    text: str | None = None
    content_type: str | None = None
    effect: bool = False
    limit: int | None = None
    items: tuple[int, ...] = ()
    share: float | None = None

    def __post_init__(self) -> None:
        check_word("kind", self.kind, KINDS)
        self._check_requests()
        self._check_turns()
        self._check_values()

    @property
    def concerned(self) -> tuple[str, ...]:
        """The operations that it concerns."""
        return self.operations or _ONLY.get(self.kind, MESSAGE_OPERATIONS)

    def _check_requests(self) -> None:
        possible = _ONLY.get(self.kind, OPERATIONS)
        if not isinstance(self.operations, tuple):
            raise wrong("operations", self.operations, f"a tuple of {one_of(map(repr, possible))}")
        for operation in self.operations:
            check_word("operations", operation, possible)
        if self.destination is not None:
            check_name("destination", self.destination)
            for operation in self.concerned:
                if operation not in MESSAGE_OPERATIONS:
                    raise wrong("destination", self.destination, f"none, because {operation} requests name no destination")

    def _check_turns(self) -> None:
        check_range("after", self.after, 0, _OFTEN)
        check_range("every", self.every, 1, _OFTEN)
        if self.times is not None:
            check_range("times", self.times, 1, _OFTEN)
        _check_share("probability", self.probability)
        if type(self.seed) is not int:
            raise wrong("seed", self.seed, "a whole number")
        if self.probability is not None and self.every != 1:
            raise wrong("every", self.every, "none beside a probability: give one of the two")

    def _check_values(self) -> None:
        defaults = {field.name: field.default for field in fields(self)}
        for name, kinds in _VALUES.items():
            if self.kind not in kinds and getattr(self, name) != defaults[name]:
                raise wrong(name, getattr(self, name), f"none, because {self.kind} has no {name} ({one_of(kinds)} may)")
        needed = _NEEDED.get(self.kind)
        if needed is not None and getattr(self, needed) is None:
            raise ConfigError(f"{needed} is missing, which {self.kind} needs.", setting=needed)
        if self.seconds is not None and not (_is_number(self.seconds) and 0 < self.seconds <= _DAY):
            raise wrong("seconds", self.seconds, f"a number above 0, up to {_DAY}")
        if self.retry_after is not None:
            check_range("retry_after", self.retry_after, 0, _DAY)
        if self.status is not None:
            check_range("status", self.status, 400, 599)
        if self.limit is not None:
            check_range("limit", self.limit, 0, 10)
        if self.text is not None and not isinstance(self.text, str):
            raise wrong("text", self.text, "a text")
        self._check_content_type()
        check_flag("effect", self.effect)
        self._check_items()

    def _check_content_type(self) -> None:
        text = self.content_type
        if text is not None and not (isinstance(text, str) and text and text.isascii() and text.isprintable()):
            raise wrong("content_type", text, "a content type such as 'text/html'")

    def _check_items(self) -> None:
        if not isinstance(self.items, tuple):
            raise wrong("items", self.items, "a tuple of whole numbers from 0 to 9")
        for item in self.items:
            check_range("items", item, 0, 9, "whole numbers from 0 to 9")
        _check_share("share", self.share)
        if self.kind == "item_failure" and bool(self.items) == (self.share is not None):
            raise ConfigError("item_failure needs either items or a share, one of the two.", setting="items")


def read_fault(table: Mapping[str, Any]) -> Fault:
    """Return the fault that a TOML table or a JSON object describes; its keys are the attributes of `Fault`.

    Raises
    ------
    ConfigError
    """
    known = [field.name for field in fields(Fault)]
    for key in table:
        if key not in known:
            raise ConfigError(f"{key} is not a known key, expected one of {one_of(known)}.", setting=key)
    if "kind" not in table:
        raise ConfigError(f"kind is missing, expected one of {one_of(map(repr, KINDS))}.", setting="kind")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return Fault(**values)


def fault_table(fault: Fault) -> dict[str, Any]:
    """Return the description that `read_fault` reads; what has its default is left out."""
    values = {field.name: (getattr(fault, field.name), field.default) for field in fields(fault)}
    return {name: value for name, (value, default) in values.items() if value != default}


def _check_share(name: str, value: float | None) -> None:
    if value is not None and not (_is_number(value) and 0 < value <= 1):
        raise wrong(name, value, "a number above 0, up to 1")


def _is_number(value: object) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))
