"""Two JSON documents compared value by value, by path."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from courier_nb.jupyter.bodies.jsontext import Node

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_ALIGNED = 200
"""Items of an array, without those that are equal at both ends, that are searched for inserted ones; it grows with its square."""
_MOST_WRITTEN = 4_000
_LONGEST_PATH = 2_000
"""Characters; what is nested deeper is one difference."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes
    ----------
    mark : {"+", "−", "≠"}
        Only in the second, only in the first, another value.
    path : str
        JSONPath; in the first document, except for what only the second has.
    left, right : str
        The JSON of the values, shortened where it is long.
    """

    mark: Literal["+", "−", "≠"]
    path: str
    left: str = field(default="", repr=False)
    right: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Changes in the order of the documents, and how many texts, numbers and words are the same."""

    changes: list[Change]
    same: int


def compare(left: Node, right: Node) -> Comparison:
    """Return how two documents differ. The order of names in an object does not count; of a name given twice, each counts."""
    prints = _fingerprints(left) | _fingerprints(right)
    changes: list[Change] = []
    same = 0
    waiting: list[tuple[str, Node | None, Node | None]] = [("$", left, right)]
    while waiting:
        path, one, other = waiting.pop()
        if other is None:
            changes += [Change("−", path, left=written(one))] if one is not None else []
        elif one is None:
            changes.append(Change("+", path, right=written(other)))
        elif prints[one] == prints[other]:
            same += _leaves(one)
        elif one.kind == other.kind and one.kind in ("object", "array") and len(path) < _LONGEST_PATH:
            pairs = _members(path, one, other) if one.kind == "object" else _items(path, one, other, prints)
            waiting += reversed(list(pairs))
        else:
            changes.append(Change("≠", path, written(one), written(other)))
    return Comparison(changes, same)


def written(node: Node) -> str:
    """Return a value as JSON on one line, its beginning where it is long."""
    pieces: list[str] = []
    size = 0
    waiting: list[Node | str] = [node]
    while waiting and size < _MOST_WRITTEN:
        item = waiting.pop()
        piece = item if isinstance(item, str) else _opening(item, with_key=item is not node)
        pieces.append(piece)
        size += len(piece)
        if isinstance(item, Node) and item.kind in ("object", "array"):
            waiting.append("}" if item.kind == "object" else "]")
            for number, child in enumerate(reversed(item.children), 1):
                waiting.append(child)
                if number < len(item.children):
                    waiting.append(", ")
    return "".join(pieces) + (" …" if waiting else "")


def _opening(node: Node, *, with_key: bool) -> str:
    name = "" if node.key is None or not with_key else f"{json.dumps(node.key, ensure_ascii=False)}: "
    if node.kind == "string":
        return name + json.dumps(node.text, ensure_ascii=False)
    return name + ({"object": "{", "array": "["}.get(node.kind) or node.text)


def _members(path: str, one: Node, other: Node) -> Iterator[tuple[str, Node | None, Node | None]]:
    ones, others = _named(one), _named(other)
    for name in dict.fromkeys([*ones, *others]):
        key, occurrence = name
        step = f".{key}" if _PLAIN_NAME.fullmatch(key) else f"[{json.dumps(key, ensure_ascii=False)}]"
        again = f" (occurrence {occurrence})" if occurrence > 1 else ""
        yield path + step + again, ones.get(name), others.get(name)


def _named(node: Node) -> dict[tuple[str, int], Node]:
    seen: dict[str, int] = {}
    found = {}
    for child in node.children:
        key = child.key or ""
        seen[key] = seen.get(key, 0) + 1
        found[key, seen[key]] = child
    return found


def _items(path: str, one: Node, other: Node, prints: dict[Node, bytes]) -> Iterator[tuple[str, Node | None, Node | None]]:
    ones, others = ([prints[child] for child in node.children] for node in (one, other))
    start = _common(ones, others)
    end = _common(ones[start:][::-1], others[start:][::-1])
    last, other_last = len(ones) - end, len(others) - end
    blocks = [(0, start, 0, start)]
    if max(last, other_last) - start <= _MOST_ALIGNED:
        matcher = difflib.SequenceMatcher(None, ones[start:last], others[start:other_last], autojunk=False)
        blocks += [(start + i, start + j, start + k, start + m) for _, i, j, k, m in matcher.get_opcodes()]
    else:
        blocks.append((start, last, start, other_last))
    blocks.append((last, len(ones), other_last, len(others)))
    for i, j, k, m in blocks:
        for at in range(max(j - i, m - k)):
            left = one.children[i + at] if i + at < j else None
            right = other.children[k + at] if k + at < m else None
            yield f"{path}[{i + at if left is not None else k + at}]", left, right


def _common(ones: Sequence[bytes], others: Sequence[bytes]) -> int:
    pairs = zip(ones, others, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(ones), len(others)))


def _fingerprints(root: Node) -> dict[Node, bytes]:
    """Return a digest of each value, made from those of its members: equal values have equal digests."""
    prints: dict[Node, bytes] = {}
    for node in reversed(list(_preorder(root))):
        digest = hashlib.blake2b(f"{node.kind}:{node.text}".encode("utf-8", "surrogatepass"), digest_size=16)
        if node.kind == "object":
            members = [
                (f"{key}\n{number}".encode("utf-8", "surrogatepass"), prints[child])
                for (key, number), child in _named(node).items()
            ]
            for name, value in sorted(members):
                digest.update(len(name).to_bytes(4, "big") + name + value)
        else:
            for child in node.children:
                digest.update(prints[child])
        prints[node] = digest.digest()
    return prints


def _leaves(root: Node) -> int:
    return sum(node.kind not in ("object", "array") for node in _preorder(root))


def _preorder(root: Node) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(node.children)
