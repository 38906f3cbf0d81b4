"""JSON read as it is written: order and duplicates of keys, every digit of a number; no depth is too deep.

The parsers of the standard library and of `orjson` give values, which are less than the text: a dict has each key once, a float
has lost digits, and deep nesting ends in a RecursionError. This reader keeps the text of numbers, works without recursion, and
stops when it has read as much as was asked for.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

Kind = Literal["object", "array", "string", "number", "word"]

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORD = re.compile(r"true|false|null")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s"\[\]{}:,\ufeff]+|[\[\]{}:,]')
_DEEPEST_INDENT = 40
_CLOSING = {"object": "}", "array": "]"}


@dataclass(slots=True, eq=False)
class Node:
    """One value of a document.

    Attributes
    ----------
    kind : {"object", "array", "string", "number", "word"}
        A word is true, false or null.
    key : str or None
        Its name in the object around it.
    text : str
        The characters of a string; a number or word as written; empty for objects and arrays.
    children : list of Node
    is_cut : bool
        Whether reading stopped before the end of this object or array.
    """

    kind: Kind
    key: str | None
    text: str = ""
    children: list[Node] = field(default_factory=list)
    is_cut: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """What was read.

    Attributes
    ----------
    root : Node
    characters : int
        How many characters were read; all of them, unless `is_cut`.
    nodes : int
    is_cut : bool
        Whether reading stopped early; what follows was not looked at.
    """

    root: Node
    characters: int
    nodes: int
    is_cut: bool


class SyntaxFault(ValueError):
    """A text does not have the syntax it should have.

    Attributes
    ----------
    line, column : int
        Where, from 1.
    position : int
        Characters before it.
    """

    def __init__(self, what: str, *, line: int, column: int, position: int) -> None:
        super().__init__(f"{what} at line {line}, column {column}")
        self.line = line
        self.column = column
        self.position = position


def fault_at(what: str, text: str, position: int) -> SyntaxFault:
    """Return the fault at a position of a text. It never quotes the text."""
    line = text.count("\n", 0, position) + 1
    return SyntaxFault(what, line=line, column=position - text.rfind("\n", 0, position), position=position)


def read(text: str, *, most_nodes: int | None = None, most_characters: int | None = None) -> Document:
    """Return the document in `text`.

    Parameters
    ----------
    text : str
    most_nodes, most_characters : int, optional
        Stop after so many values or characters.

    Raises
    ------
    SyntaxFault
        When it is not JSON, as far as it was read.
    """
    return _Reader(text, most_nodes, most_characters).document()


def indented(text: str) -> str:
    """Return a document on many lines; every string and number stays as it is written.

    Raises
    ------
    SyntaxFault
    """
    read(text)
    pieces: list[str] = []
    depth = 0
    for piece, following in pairwise([*_TOKEN.findall(text), ""]):
        if piece in ("]", "}"):
            depth -= 1
            if pieces[-1] not in ("[", "{"):
                pieces.append(_line_start(depth))
        pieces.append(piece)
        if piece in ("[", "{"):
            depth += 1
            if following not in ("]", "}"):
                pieces.append(_line_start(depth))
        elif piece == ",":
            pieces.append(_line_start(depth))
        elif piece == ":":
            pieces.append(" ")
    return "".join(pieces)


def _line_start(depth: int) -> str:
    return "\n" + "  " * min(depth, _DEEPEST_INDENT)


class _Reader:
    def __init__(self, text: str, most_nodes: int | None, most_characters: int | None) -> None:
        self._text = text
        self._at = 0
        self._nodes = 0
        self._most_nodes = most_nodes
        self._most_characters = most_characters

    def document(self) -> Document:
        self._at = 1 if self._text.startswith("\ufeff") else 0
        self._skip_space()
        root = self._value(None)
        under_way = [root] if root.kind in _CLOSING else []
        while under_way:
            if self._is_enough():
                for node in under_way:
                    node.is_cut = True
                return Document(root, self._at, self._nodes, is_cut=True)
            self._step(under_way)
        self._skip_space()
        if self._at < len(self._text):
            raise self._fault("More text after the end of the document")
        return Document(root, self._at, self._nodes, is_cut=False)

    def _step(self, under_way: list[Node]) -> None:
        """Read the next member of the innermost object or array, or its end."""
        parent = under_way[-1]
        self._skip_space()
        if self._has(_CLOSING[parent.kind]):
            under_way.pop()
            return
        if parent.children:
            if not self._has(","):
                raise self._fault(f"A comma or {_CLOSING[parent.kind]} is missing")
            self._skip_space()
        value = self._value(self._key() if parent.kind == "object" else None)
        parent.children.append(value)
        if value.kind in _CLOSING:
            under_way.append(value)

    def _key(self) -> str:
        if not self._has('"'):
            raise self._fault("A name in double quotes is missing")
        key = self._string()
        self._skip_space()
        if not self._has(":"):
            raise self._fault("A colon is missing")
        self._skip_space()
        return key

    def _value(self, key: str | None) -> Node:
        self._nodes += 1
        if self._has("{"):
            return Node("object", key)
        if self._has("["):
            return Node("array", key)
        if self._has('"'):
            return Node("string", key, self._string())
        for kind, pattern in (("number", _NUMBER), ("word", _WORD)):
            found = pattern.match(self._text, self._at)
            if found:
                self._at = found.end()
                return Node("number" if kind == "number" else "word", key, found[0])
        raise self._fault("A value is missing")

    def _string(self) -> str:
        try:
            text, self._at = _DECODER.raw_decode(self._text, self._at - 1)
        except json.JSONDecodeError as error:
            raise fault_at(error.msg.removesuffix(" at"), self._text, error.pos) from None
        return str(text)

    def _has(self, character: str) -> bool:
        if self._text.startswith(character, self._at):
            self._at += 1
            return True
        return False

    def _skip_space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _is_enough(self) -> bool:
        return (self._most_nodes is not None and self._nodes >= self._most_nodes) or (
            self._most_characters is not None and self._at >= self._most_characters
        )

    def _fault(self, what: str) -> SyntaxFault:
        return fault_at(what, self._text, self._at)
