"""The name of a file that holds one body."""

from __future__ import annotations

import re

from courier_nb.core.messages import Message
from courier_nb.jupyter.bodies.forms import EXTENSIONS, form_of

_MOST_CHARACTERS = 80


def file_name(message: Message) -> str:
    """Return a file name made from the message id, safe on every system, with the extension of the body's form."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", message.message_id or "")[:_MOST_CHARACTERS].strip("._")
    # With a word in front it is neither hidden nor one of the names that Windows keeps for devices.
    return f"message-{safe or 'without-id'}.{EXTENSIONS[form_of(message)]}"
