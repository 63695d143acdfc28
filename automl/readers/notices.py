"""What a reader says of what it did not read, or read of several: each kind once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.study.trial import Measurement

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class Notices:
    """Texts by their kinds, until they are taken.

    Attributes:
        objective: The metric that is looked for; empty where there is none.
        new: What was not taken yet.
    """

    objective: str = ""
    new: list[str] = field(default_factory=list)
    _said: set[str] = field(default_factory=set)

    def say(self, kind: str, text: str) -> None:
        """Say a text, unless something of its kind was said."""
        if kind not in self._said:
            self._said.add(kind)
            self.new.append(text)

    def say_several(self, kind: str, where: str, which: str, fix: str = "give it another name in the others") -> None:
        """Say that the objective stands in several places, which of them counts, and what to do."""
        self.say(kind, f"{self.objective} stands {where}, {which}; {fix}")

    def say_all(self, texts: Mapping[str, str]) -> None:
        """Say texts by their kinds."""
        for kind, text in texts.items():
            self.say(kind, text)

    def take(self) -> list[Measurement]:
        """Return what is new."""
        new, self.new = self.new, []
        return [Measurement(notice=text) for text in new]
