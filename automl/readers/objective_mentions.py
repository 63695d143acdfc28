"""Which numbers on a line of a log count in any case, and which one is the objective."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.readers.filtered_loss import GRADIENT, hidden_losses
from automl.readers.log_report import has_state
from automl.readers.mentions import MOST_ON_A_LINE, chosen, grouped, labelled, last_numbers, split_of_mention
from automl.readers.splits import WORDS, Split, has_split, is_of, split_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automl.readers.mentions import Mention
    from automl.readers.notices import Notices

_WORD_BEFORE = re.compile(r"(?<![\w.-])([a-z][a-z_-]{1,30})[\s_]$", re.IGNORECASE)
_NO_TRAINING = "|".join(word for word, split in WORDS.items() if split is not Split.TRAINING)
_WITH_SPLIT = rf"\b((?:{_NO_TRAINING})[\s_/:-]{{{{1,3}}}}{{}})[\"']?\s?[:=]"
_ANY_LOSS = "loss"
_ANY_OBJECTIVE = "kpi"
"""What some trainers print in place of the name of their metric."""


@dataclass(slots=True)
class ObjectiveMentions:
    """Finds the objective and the training losses on lines.

    Attributes:
        watched: Training losses.
        notices: Where to say that a value was not read.
        is_named: The log has the objective by its name.
        heading: Of what the lines are, as a line above them says.
        part: Else, of what it is, and its name without that.
        names: Under which the objective may stand.
    """

    watched: tuple[str, ...]
    notices: Notices
    objective: str = field(init=False)
    is_named: bool = False
    heading: Split = Split.UNNAMED
    part: tuple[Split, str] | None = field(init=False)
    names: tuple[str, ...] = field(init=False)
    _is_split: bool = field(init=False)
    # Where the name has no split: values of it with one, and the word before a value that counts, until that is said.
    _with_split: re.Pattern[str] | None = field(init=False)
    _word: str = ""
    # The last number that stood for an objective without its name.
    _unnamed_number: float | None = None
    _all_names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.objective = self.notices.objective
        name = re.escape(self.objective)
        self._is_split = has_split(self.objective)
        self._with_split = None if self._is_split else re.compile(_WITH_SPLIT.format(name), re.IGNORECASE)
        self.part = _part_of(self.objective)
        self.names = (self.objective, *(self.part or ())[1:])
        self._all_names = tuple(dict.fromkeys((*self.watched, *self.names, _ANY_LOSS, GRADIENT, _ANY_OBJECTIVE)))

    def of(self, line: str) -> tuple[dict[str, float | str], Mention | None]:
        """Return the numbers on a line that count in any case, and the finite value of the objective."""
        every = grouped(line, self._all_names)
        if self._word:
            self._note_split(line)
        if not every:
            return {}, None
        numbers = last_numbers(line, every)
        numbers |= hidden_losses(numbers)
        found = self._in_any_case(numbers)
        if isinstance(found.get(self.objective), str):
            return found, None
        mentions = every.get(self.objective, [])
        if self._is_echo(line, mentions):
            return found, None
        mention = self._only(line, mentions or ([] if self.is_named else self._unnamed(line, every)))
        if mention is not None and not mentions and isinstance(mention.number, float):
            self._unnamed_number = mention.number
        if mention is not None and self._with_split is not None:
            self._note_word(line, mention)
        return found, mention

    def split_of(self, line: str, mention: Mention) -> Split:
        """Return of what a value is, as its line or the heading above it says it; nothing where the name does."""
        if mention.name != self.objective or self._is_split:
            return Split.UNNAMED
        split = split_of_mention(line, mention)
        return self.heading if split is Split.UNNAMED else split

    def _note_word(self, line: str, mention: Mention) -> None:
        word = _WORD_BEFORE.search(line, 0, mention.begin) if not self._word else None
        if word is not None and split_of(word[1]) is Split.UNNAMED:
            self._word = word[1]
            self._note_split(line)

    def _note_split(self, line: str) -> None:
        """Say that values behind a word count that is no split, and that there are others behind one."""
        if self._word and self._with_split is not None and (other := self._with_split.search(line)) is not None:
            self.notices.say(
                "word",
                f"{self.objective} behind {self._word} counts, which is no word for validation or training; "
                f"the log has {other[1]}, too: name that as the metric if it is meant",
            )
            self._with_split, self._word = None, ""

    def _in_any_case(self, numbers: Mapping[str, float | str]) -> dict[str, float | str]:
        found = {name: number for name, number in numbers.items() if name in self.watched and name != self.objective}
        lost = {name: number for name in (_ANY_LOSS, self.objective) if isinstance(number := numbers.get(name), str)}
        return {**found, **lost}

    def _is_echo(self, line: str, mentions: Sequence[Mention]) -> bool:
        """Whether a log with values as ``Validation: acc=0.51`` repeats one: ``New best val_acc: 0.5``."""
        if self.is_named or not mentions:
            return False
        last, is_stated = self._unnamed_number, has_state(line[: mentions[-1].start])
        if last is not None and (is_stated or all(_is_rounded(mention, last) for mention in mentions)):
            return True
        if not is_stated:
            self._note_named(line, mentions[-1])
        return False

    def _note_named(self, line: str, mention: Mention) -> None:
        self.is_named = True
        if self._unnamed_number is not None:
            self.notices.say(
                "named late",
                f"{self.objective} stands in the log without its whole name, which counted, and then as "
                f"{labelled(line, mention)} {mention.text}, which alone counts from there on: give one of them another "
                "name",
            )

    def _unnamed(self, line: str, every: Mapping[str, list[Mention]]) -> list[Mention]:
        """Return what stands for an objective that the log never names: ``kpi``, or ``val - acc`` for ``val_acc``."""
        if self.part is not None:
            split, name = self.part
            found = [
                mention
                for mention in every.get(name, [])[-MOST_ON_A_LINE:]
                if is_of(line, mention.begin, split)
                or (self.heading is split and split_of_mention(line, mention) is Split.UNNAMED)
            ]
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


def _is_rounded(mention: Mention, number: float) -> bool:
    """Whether a mention is a number to as many decimals as it has."""
    decimals = len(mention.text.partition(".")[2]) if mention.text.rpartition(".")[2].isdigit() else 0
    return isinstance(mention.number, float) and abs(mention.number - number) <= 0.501 * 10.0**-decimals


def _part_of(objective: str) -> tuple[Split, str] | None:
    """Return of what a metric is that has it in its name, and its name without it."""
    head, _, rest = objective.replace("/", "_", 1).partition("_")
    split = split_of(head)
    return (split, rest) if rest and split is not Split.UNNAMED else None
