"""What a row is known by in the replay ledger: its content, and how manieth such row it is.

So the ledger outlives the file that the rows came from, and a repaired row counts as another message.
"""

from __future__ import annotations

from hashlib import blake2b

from courier_nb.core import exactjson
from courier_nb.core.messages import Message

KEY_BYTES = 16


def content_key(message: Message) -> bytes:
    """Return the key of a message's content: where it was received, id, creation date, properties and body."""
    digest = blake2b(digest_size=KEY_BYTES)
    created = message.headers.get("created")
    identity = [message.destination, message.message_id, created, dict(sorted(message.properties.items()))]
    digest.update(exactjson.dumps(identity))
    body = message.body or b""
    digest.update(body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass"))
    return digest.digest()


def nth_key(content: bytes, n: int) -> bytes:
    """Return the key of the `n`-th row (from 0) with this content."""
    return content if n == 0 else blake2b(content + n.to_bytes(8), digest_size=KEY_BYTES).digest()


def group_key(message: Message) -> bytes | None:
    """Return a short key of the message group; None outside a group."""
    group = message.message_group_id
    return None if group is None else blake2b(group.encode("utf-8", "surrogatepass"), digest_size=8).digest()
