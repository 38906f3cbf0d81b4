"""Texts that must not be seen: credentials, tokens, lock ids.

Tools that print the variables of a traceback show the ``repr`` of arguments and locals. A `Secret` is the text itself to whatever
sends it, and three dots to whatever shows it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, NoReturn, Self, TypeVar

from courier_nb.core.errors import CourierError

T = TypeVar("T")


class _Unseen:
    """What both kinds have in common."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A secret is not pickled: take it from its source where it is needed.")


class Secret(_Unseen, str):
    """A text whose ``repr`` does not show it, and which is not pickled. Equal to the same plain text."""

    __slots__ = ()


class SecretBytes(_Unseen, bytes):
    """Bytes whose ``repr`` does not show them, and which are not pickled."""

    __slots__ = ()


def secret(text: str | None) -> Secret | None:
    """Return a text as a `Secret`; None stays None."""
    return None if text is None else Secret(text)


def short_tracebacks(cls: type[T]) -> type[T]:
    """Let the errors of a class's public async methods begin at the methods themselves.

    The frames below hold requests and answers, and with them bodies, locks and tokens. What happened is in the error.
    """
    for name, method in list(vars(cls).items()):
        if inspect.iscoroutinefunction(method) and not name.startswith("_"):
            setattr(cls, name, _shortened(method))
    return cls


def _shortened(method: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
    @wraps(method)
    async def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return await method(*args, **kwargs)
        except CourierError as error:
            raise error.with_traceback(None)  # noqa: B904  # the same error, shortened

    return call
