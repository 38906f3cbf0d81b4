"""Docstrings, written once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def documented_as(source: type) -> Callable[[type[T]], type[T]]:
    """Give a class and its methods the docstrings of the async ones."""

    def decorate(cls: type[T]) -> type[T]:
        for name, member in list(vars(cls).items()):
            if name.startswith("_") or member.__doc__:
                continue
            doc = getattr(source, name).__doc__
            if isinstance(member, property):
                setattr(cls, name, property(member.fget, doc=doc))
            else:
                getattr(member, "__func__", member).__doc__ = doc
        return cls

    return decorate
