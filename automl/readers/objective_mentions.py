"""Which numbers on a line of a log count in any case, and which one is the objective."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.readers.filtered_loss import GRADIENT, hidden_losses
from automl.readers.mentions import MOST_ON_A_LINE, chosen, grouped, labelled, last_numbers
from automl.readers.splits import Split, is_of, split_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automl.readers.mentions import Mention
    from automl.readers.notices import Notices

_ANY_LOSS = "loss"
_ANY_OBJECTIVE = "kpi"
"""What some trainers print in place of the name of their metric."""


@dataclass(slots=True)
class ObjectiveMentions:
    """Finds the objective and the training losses on lines.

    Attributes:
        objective: Name of the metric.
        watched: Training losses.
        notices: Where to say that a value was not read.
        is_named: The log has the objective by its name.
        part: Else, of what it is, and its name without that.
    """

    objective: str
    watched: tuple[str, ...]
    notices: Notices
    is_named: bool = False
    part: tuple[Split, str] | None = field(init=False)
    _names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.part = _part_of(self.objective)
        others = (_ANY_LOSS, GRADIENT, _ANY_OBJECTIVE, *(self.part or ())[1:])
        self._names = tuple(dict.fromkeys((*self.watched, self.objective, *others)))

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which the objective may stand."""
        return (self.objective, *(self.part or ())[1:])

    def of(self, line: str) -> tuple[dict[str, float | str], Mention | None]:
        """Return the numbers on a line that count in any case, and the finite value of the objective."""
        every = grouped(line, self._names)
        if not every:
            return {}, None
        numbers = last_numbers(line, every)
        numbers |= hidden_losses(numbers)
        found = {name: number for name, number in numbers.items() if name in self.watched}
        if isinstance(numbers.get(_ANY_LOSS), str):
            found[_ANY_LOSS] = numbers[_ANY_LOSS]
        if isinstance(numbers.get(self.objective), str):
            return {**found, self.objective: numbers[self.objective]}, None
        found.pop(self.objective, None)
        mentions = every.get(self.objective, [])
        self.is_named |= bool(mentions)
        return found, self._only(line, mentions if self.is_named else self._unnamed(line, every))

    def _unnamed(self, line: str, every: Mapping[str, list[Mention]]) -> list[Mention]:
        """Return what stands for an objective that the log never names: ``kpi``, or ``val - acc`` for ``val_acc``."""
        if self.part is not None:
            split, name = self.part
            found = [mention for mention in every.get(name, [])[-MOST_ON_A_LINE:] if is_of(line, mention.begin, split)]
            if found:
                return found
        return every.get(_ANY_OBJECTIVE, [])

    def _only(self, line: str, mentions: Sequence[Mention]) -> Mention | None:
        """Return the one value of the objective on a line; say that it is no number, or one of several."""
        numbers = chosen(line, mentions)
        if len({mention.number for mention in numbers}) > 1:
            texts = ", ".join(f"{labelled(line, mention)} {mention.text}" for mention in numbers)
            self.notices.say(
                "one line",
                f"{self.objective} was not read from lines of the log with several values of it ({texts}): name one of "
                "them as the metric, or print one",
            )
            return None
        refused = [
            mention.text for mention in mentions if mention.number is None and mention.text.lstrip("+-.")[0].isdigit()
        ]
        if refused:
            self.notices.say(
                "no number",
                f"{self.objective} was not read from the log where it is written {refused[0].strip()}: print a plain "
                "number",
            )
        return numbers[-1] if numbers and isinstance(numbers[-1].number, float) else None


def _part_of(objective: str) -> tuple[Split, str] | None:
    """Return of what a metric is that has it in its name, and its name without it."""
    head, _, rest = objective.replace("/", "_", 1).partition("_")
    split = split_of(head)
    return (split, rest) if rest and split is not Split.UNNAMED else None
