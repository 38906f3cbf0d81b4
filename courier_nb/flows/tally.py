"""Outcomes while a verb is under way."""

from __future__ import annotations

from dataclasses import dataclass, field

from courier_nb.core.messages import Outcome


@dataclass(slots=True)
class Tally:
    """Outcomes of a call under way, by position."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        self.outcomes[outcome.position] = outcome

    def in_order(self) -> list[Outcome]:
        return [self.outcomes[position] for position in sorted(self.outcomes)]

    @property
    def any_done(self) -> bool:
        return any(outcome.kind in ("ok", "unknown") for outcome in self.outcomes.values())
