"""Names that new queues and exchanges may have."""

from __future__ import annotations

import re

from courier_nb.broker.api.values import wrong

_NAME = re.compile(r"[A-Za-z0-9.-]{1,127}")


def check_new_name(kind: str, name: str) -> None:
    """Refuse a name that the service does not take; ``_`` is for names that it makes itself.

    Raises
    ------
    Refusal
        400.
    """
    if not _NAME.fullmatch(name):
        raise wrong(f"{kind}Id", name, "1 to 127 letters, digits, '.' or '-'")
