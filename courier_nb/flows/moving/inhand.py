"""Which row of the ledger a received message is, when several of them are alike."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from courier_nb.core.messages import Message
from courier_nb.flows.settle import Held
from courier_nb.storage.replays.index import Known
from courier_nb.storage.replays.ledger import Ledger
from courier_nb.storage.replays.rowkeys import content_key, nth_key


class InHand:
    """Tells messages of equal content apart: those in hand at the same time, and those that were moved before.

    A standard queue may hold a message twice, to the last byte. A message that comes again must be known again, so it takes the
    first row of its content that it can be: not one whose original was acknowledged, not one in hand just now, and none that had
    been delivered as often already.

    Parameters
    ----------
    ledger : Ledger
    are_just_received : bool
        Whether each delivery is seen once only.
    """

    def __init__(self, ledger: Ledger, *, are_just_received: bool) -> None:
        self._ledger = ledger
        self._are_just_received = are_just_received
        self._choosing = threading.Lock()
        self._held: dict[bytes, Held | None] = {}

    def keys(self, messages: Sequence[Message], locks: Sequence[Held | None]) -> list[bytes]:
        """Return the key of each message; they are in hand until they are let go."""
        with self._choosing:
            return [self._key(message, lock) for message, lock in zip(messages, locks, strict=True)]

    def let_go(self, keys: Sequence[bytes]) -> None:
        """Say that nothing more is done with these messages."""
        with self._choosing:
            for key in keys:
                self._held.pop(key, None)

    def _key(self, message: Message, lock: Held | None) -> bytes:
        content, n = content_key(message), 0
        while True:
            key = nth_key(content, n)
            (known,) = self._ledger.states([key])
            if self._can_be(message, key, known):
                self._held[key] = lock
                return key
            n += 1

    def _can_be(self, message: Message, key: bytes, known: Known | None) -> bool:
        if key in self._held:
            other = self._held[key]
            return other is not None and other.is_over  # it may have come again meanwhile
        if known is None or known.state == "refused":
            return True
        if known.state == "done":
            return False
        before, now = known.deliveries, message.delivery_count
        if before is None or now is None:
            return not (self._are_just_received and now == 1)
        return now > before if self._are_just_received else now >= before  # what comes again has been delivered once more
