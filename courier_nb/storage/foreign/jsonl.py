"""Messages from a JSON Lines file in the publish shape: ``{"headers": {…}, "properties": {…}, "body": "…"}`` a line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from courier_nb.core import exactjson
from courier_nb.core.errors import FrameError
from courier_nb.core.messages import Message

SUFFIXES = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")


def is_jsonl(path: Path) -> bool:
    """Whether the file's name says that it is JSON Lines."""
    return path.name.endswith(SUFFIXES)


def read_jsonl(path: Path) -> Iterator[Message]:
    """Yield the messages of a file, reading as they are consumed.

    Raises
    ------
    FrameError
        When the file cannot be read, or a line is not a message; it names the line.
    """
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
            yield from messages_of_lines(file, path)
    except (OSError, EOFError, zlib.error) as error:  # gzip raises EOFError for a file that was cut off
        raise FrameError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def messages_of_lines(lines: Iterable[bytes], place: Path | str) -> Iterator[Message]:
    """Yield the messages of lines; `place` says in errors where they stand.

    Raises
    ------
    FrameError
        When a line is not a message; it names the line.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _message(line, place, number)


def _message(line: bytes, path: Path | str, number: int) -> Message:
    try:
        value = exactjson.loads_exactly(line)
    except ValueError as error:
        raise FrameError(f"{path}, line {number}: not JSON ({error}).", rows=[number - 1]) from None
    if not isinstance(value, dict) or not isinstance(value.get("body"), str):
        raise FrameError(
            f"{path}, line {number}: a message with a text under 'body' was expected.", columns=["body"], rows=[number - 1]
        )
    return Message(
        value["body"],
        _mapping(value, "properties", path, number),
        _mapping(value, "headers", path, number),
    )


def _mapping(value: dict[str, Any], key: str, path: Path | str, number: int) -> dict[str, Any]:
    found = value.get(key) or {}
    if not isinstance(found, dict):
        raise FrameError(f"{path}, line {number}: {key!r} must be an object.", columns=[key], rows=[number - 1])
    return found
