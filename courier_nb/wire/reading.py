"""Taking in an answer: unpacked by ourselves, so that a small one cannot grow without end in memory."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import httpx

from courier_nb.wire.budget import SMALL_BYTES, Claim

ANSWER_BYTES = 64_000_000
"""The most that an answer may hold when unpacked, besides `MESSAGE_BYTES` for each message that was asked for.

One message of 10 MB can be six times as long in JSON, when it has nothing but control characters.
"""
MESSAGE_BYTES = 16_000_000
ENCODINGS = "gzip"
SLOWEST_BYTES_PER_SECOND = 250_000
"""A slow line still moves 10 MB within 40 s."""

_GZIP = zlib.MAX_WBITS + 16
_PIECE = 1024 * 1024
_UNKNOWN_BYTES = 8 * 1024 * 1024  # what a large answer of unknown size is taken for at first


class TooMuchAnswer(Exception):
    """The answer is larger than any answer to this call can be."""


class Undecodable(Exception):
    """The answer cannot be unpacked."""


async def read_answer(response: httpx.Response, *, most: int, claim: Claim | None, deadline: anyio.CancelScope) -> httpx.Response:
    """Read the rest of an answer and return it whole, unpacked.

    Parameters
    ----------
    response : httpx.Response
        Opened as a stream.
    most : int
        Bytes that it may hold when unpacked.
    claim : Claim, optional
        Asked for room before a large answer is read; keeps the room until it is released.
    deadline : anyio.CancelScope
        Moved by the time that a slow line needs for what came, and by the time spent waiting for room.

    Raises
    ------
    TooMuchAnswer, Undecodable
    httpx.HTTPError
        When the connection fails.
    """
    if response.is_stream_consumed:  # a transport that stands in for the network gave it whole
        if len(response.content) > most:
            raise TooMuchAnswer(f"it holds more than {most // 1_000_000} MB")
        if claim is not None:
            claim.is_now(len(response.content))
        return response
    unpack = _unpacker(response.headers.get("Content-Encoding", ""))
    pieces: list[bytes] = []
    size, is_claimed = 0, False
    async for chunk in response.aiter_raw():
        deadline.deadline += len(chunk) / SLOWEST_BYTES_PER_SECOND
        for piece in unpack.feed(chunk):
            size += len(piece)
            if size > most:
                raise TooMuchAnswer(f"it holds more than {most // 1_000_000} MB")
            pieces.append(piece)
            if claim is not None and size > SMALL_BYTES:
                with _stopped(deadline):
                    if not is_claimed:
                        await claim.take(max(size, _announced(response) or _UNKNOWN_BYTES))
                    await claim.grow(size)
                is_claimed = True
    unpack.end()
    if claim is not None:
        claim.is_now(size)
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _OF_THE_WIRE]
    return httpx.Response(
        response.status_code,
        headers=headers,
        content=b"".join(pieces),
        request=response.request,
        extensions=response.extensions,
    )


@contextmanager
def _stopped(deadline: anyio.CancelScope) -> Iterator[None]:
    """Let no time pass for a deadline: what is waited for here is our own."""
    left = deadline.deadline - anyio.current_time()
    deadline.deadline = math.inf
    try:
        yield
    finally:
        deadline.deadline = anyio.current_time() + left


_OF_THE_WIRE = {b"content-encoding", b"content-length", b"transfer-encoding"}


class _Plain:
    """An answer that is not packed."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk

    def end(self) -> None:
        """Nothing can be missing that the transport does not see."""


class _Packed:
    """An answer that is packed with gzip."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(_GZIP)
        self._is_begun = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what a chunk unpacks to, in pieces."""
        while chunk:
            try:
                piece = self._inflater.decompress(chunk, _PIECE)
            except zlib.error:
                raise Undecodable("it cannot be unpacked") from None
            self._is_begun = True
            if piece:
                yield piece
            chunk = self._inflater.unconsumed_tail
            if self._inflater.eof:
                chunk = self._inflater.unused_data
                if chunk:  # gzip may come in several members
                    self._inflater = zlib.decompressobj(_GZIP)

    def end(self) -> None:
        """Raise when something is missing."""
        if self._is_begun and not self._inflater.eof:
            raise Undecodable("it is packed and ends too early")


def _unpacker(encoding: str) -> _Plain | _Packed:
    match encoding.strip().lower():
        case "" | "identity":
            return _Plain()
        case "gzip" | "x-gzip":
            return _Packed()
        case _:
            raise Undecodable("it is packed in a way that was not asked for")


def _announced(response: httpx.Response) -> int | None:
    """Return the size that the server gives, if it is the one in memory."""
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and "Content-Encoding" not in response.headers else None
