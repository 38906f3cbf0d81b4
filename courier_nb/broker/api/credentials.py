"""Credentials out of a token request, in every form that clients are known to send them."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import compat32
from urllib.parse import parse_qsl

from courier_nb.broker.api.incoming import read_object
from courier_nb.broker.api.web import Refusal, Request

_MAX_FORM_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What a token request claims."""

    name: str
    secret: str


async def client_credentials(request: Request) -> Credentials:
    """Return client id and secret from a form, multipart form or JSON, or from HTTP Basic authentication."""
    fields = await _fields(request)
    if fields.get("grant_type") != "client_credentials":
        raise Refusal(401, "grant_type must be client_credentials.")
    scheme, _, text = request.header(b"authorization").partition(" ")
    if scheme.lower() == "basic":
        return _basic(text)
    return Credentials(fields.get("client_id", ""), fields.get("client_secret", ""))


async def user_login(request: Request) -> Credentials:
    """Return user name and password."""
    fields = await _fields(request)
    return Credentials(fields.get("username", ""), fields.get("password", ""))


async def _fields(request: Request) -> dict[str, str]:
    content = await request.body(_MAX_FORM_BYTES)
    content_type = request.header(b"content-type").lower()
    if content_type.startswith("application/json"):
        return {key: value for key, value in read_object(content).items() if isinstance(value, str)}
    if content_type.startswith("multipart/form-data"):
        return _multipart(request.header(b"content-type"), content)
    return dict(parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True))


def _multipart(content_type: str, content: bytes) -> dict[str, str]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    fields = {}
    try:
        for part in BytesParser(policy=compat32).parsebytes(head + content).walk():
            name = part.get_param("name", header="content-disposition")
            payload = part.get_payload(decode=True)
            if isinstance(name, str) and isinstance(payload, bytes):
                fields[name] = payload.decode("utf-8", "replace").strip("\r\n")
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):  # the parser is not ready for every oddity
        raise Refusal(400, "The form is malformed.") from None
    return fields


def _basic(text: str) -> Credentials:
    try:
        name, _, secret = base64.b64decode(text, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return Credentials("", "")
    return Credentials(name, secret)
