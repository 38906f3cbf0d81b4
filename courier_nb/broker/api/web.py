"""Just enough HTTP on top of ASGI: a request whose path is read before decoding, and a response in one piece."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from courier_nb.core import exactjson

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"


class Refusal(Exception):
    """The request is answered with an error status; each API words the body in its own way.

    Attributes
    ----------
    status : int
    reason : str
        For the client to read.
    allow : sequence of str
        The methods that are possible here, with status 405.
    """

    def __init__(self, status: int, reason: str, *, allow: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.allow = allow


class Disconnected(Exception):
    """The client went away; nobody is there to be answered."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer."""

    status: int
    body: bytes = b""
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def start(self) -> Event:
        """Return status and headers."""
        headers = [(b"content-type", self.content_type), (b"content-length", b"%d" % len(self.body))]
        if self.status == 204:
            headers = []
        return {"type": "http.response.start", "status": self.status, "headers": [*headers, *self.headers]}

    async def send(self, send: Send) -> None:
        """Write the answer."""
        await send(self.start())
        await send({"type": "http.response.body", "body": self.body})


class Request:
    """A request.

    Attributes
    ----------
    method : str
    segments : list of bytes
        The path's parts, still percent-encoded, so that an encoded ``/`` inside an id is not taken for a separator.
    query_string : bytes
        What follows the ``?``, still percent-encoded.
    scope, receive : mapping, callable
        ASGI's.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        # raw_path is optional in ASGI; without it, a "/" inside an id cannot be told from the path around it
        path: bytes = scope.get("raw_path") or quote(scope["path"], errors="replace").encode("ascii")
        self.method: str = scope["method"]
        self.segments = path.split(b"/")[1:]
        self.query_string: bytes = scope.get("query_string", b"")
        self.receive = receive
        self.scope = scope

    def header(self, name: bytes) -> str:
        """Return a header's value, or an empty text."""
        for key, value in self.scope["headers"]:
            if key == name:
                return str(value, "latin-1")
        return ""

    def origin(self) -> str:
        """Return scheme and host as the client reached this server."""
        host = self.header(b"host")
        if not host:
            address, port = self.scope.get("server") or ("127.0.0.1", None)
            host = f"{address}:{port}" if port else str(address)
        return f"{self.scope.get('scheme', 'http')}://{host}"

    def query(self) -> dict[str, str]:
        """Return the query parameters; of one given twice, the last."""
        text = self.query_string.decode("latin-1")
        return dict(parse_qsl(text, keep_blank_values=True)) if text else {}

    async def body(self, limit: int) -> bytes:
        """Return the whole body; more than `limit` bytes are refused with 413."""
        declared = self.header(b"content-length")
        if declared.isdecimal() and int(declared[:20]) > limit:
            raise Refusal(413, "Payload too large")
        chunks: list[bytes] = []
        size = 0
        while True:
            event = await self.receive()
            if event["type"] == "http.disconnect":
                raise Disconnected
            chunk: bytes = event.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise Refusal(413, "Payload too large")
            chunks.append(chunk)
            if not event.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def json_response(value: Any, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Response:
    """Return `value` as a JSON answer."""
    return Response(status, exactjson.dumps(value), headers=headers)


def refused(request: Request, refusal: Refusal, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Response:
    """Return a refusal in the words of the API that was asked."""
    if refusal.allow:
        headers = (*headers, (b"allow", ", ".join(refusal.allow).encode("ascii")))
    if request.segments[:2] == [b"api", b"v1"]:
        return json_response({"status": "failure", "statusMessage": refusal.reason}, refusal.status, headers)
    return json_response({"status": refusal.status, "message": refusal.reason}, refusal.status, headers)


def decode_segment(segment: bytes) -> str:
    """Return an id from a path; what is not UTF-8 is refused."""
    try:
        # lone surrogates can stand in a message id (as \\ud800 in JSON), so they can be asked for
        return unquote_to_bytes(segment).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise Refusal(400, "The path is not UTF-8.") from None


def decode_name(segment: bytes) -> str:
    """Return the name of something stored from a path; half a surrogate pair is refused, which no name can hold."""
    text = decode_segment(segment)
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise Refusal(400, "The path is not UTF-8.")
    return text


def whole_number(query: dict[str, str], name: str, low: int, high: int, default: int | None) -> int | None:
    """Return a query parameter that must be a whole number between two limits."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 12 and low <= int(text) <= high):
        raise Refusal(400, f"{name} must be a whole number from {low} to {high}.")
    return int(text)


def one_word(query: dict[str, str], name: str, words: tuple[str, ...]) -> str:
    """Return a query parameter that must be one of `words`; the first is the default."""
    value = query.get(name, words[0])
    if value not in words:
        raise Refusal(400, f"{name} must be one of {', '.join(words)}.")
    return value
