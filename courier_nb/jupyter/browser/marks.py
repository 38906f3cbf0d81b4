"""What became of rows, and what else is to be seen of them: words that outlive a view of the table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import orjson

from courier_nb.core.printable import plain


class Marks:
    """States and flags of rows by their position.

    A row has at most one state (what became of its message: ``acked``, ``returned``, ``lost_lock``, ``unknown``, …), which takes
    the place of the one that the data say, and any number of flags (such as ``edited``).
    """

    def __init__(self) -> None:
        self.states: dict[int, str] = {}
        self.flags: dict[int, set[str]] = {}

    def set_state(self, rows: Iterable[int], state: str) -> bool:
        """Give rows a state; an empty one takes it away. Return whether that changed any."""
        word = plain(state)
        changed = [row for row in rows if self.states.get(row, "") != word]
        for row in changed:
            if word:
                self.states[row] = word
            else:
                del self.states[row]
        return bool(changed)

    def set_flag(self, rows: Iterable[int], word: str, *, on: bool) -> None:
        """Put a flag on rows, or take it away."""
        for row in rows:
            words = self.flags.setdefault(row, set())
            words.add(plain(word)) if on else words.discard(plain(word))
            if not words:
                del self.flags[row]

    def clear(self) -> None:
        self.states.clear()
        self.flags.clear()

    def encoded(self) -> bytes:
        """Return all marks as JSON: ``states`` and ``flags``, each a list of positions by word."""
        flags = ((row, word) for row, words in self.flags.items() for word in words)
        return orjson.dumps({"states": _by_word(self.states.items()), "flags": _by_word(flags)})


def _by_word(pairs: Iterable[tuple[int, str]]) -> Mapping[str, list[int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for row, word in pairs:
        found[word].append(row)
    return found
