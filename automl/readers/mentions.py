"""Find metrics on a line of a log: a name, or an alias of it, as whole words, then ``=`` or ``:`` and a number."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

from automl.readers.names import aliases
from automl.readers.splits import WORDS, Split, has_split, split_at
from automl.readers.written_number import BAR_BEHIND, BEHIND_SIGN, RANGE_OF_NAME, number_at, number_of_several

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_LONGEST_NAME = 120
MOST_ON_A_LINE = 20
"""Of one metric: a line may be what a garbled terminal has left."""
_SIGN = re.compile("[=:]")
_QUOTES = frozenset("\"'")
_MOST_BLANKS = 40
_PART_OF_A_NAME = frozenset("/.-_")
_WORD_BEFORE = re.compile(r"[\w.@'-]{0,40}\W{0,2}$")
_OTHER = re.compile(
    # Of other data, or of another kind: "Validation loss" is no loss. "valid_1's auc" is one.
    rf"\b(?:(?<!=)(?:{'|'.join(WORDS)})|ema|target|previous|prev|old|threshold"
    r"|delta|(?<!no )change|over|beyond|than|min|max|lowest|highest|minimum|maximum|best_\w{1,20}) $"
    # Of the past: "best val_acc", "best so far (val_acc", "Best was epoch 2 with val_acc"; not "new best! val_acc".
    r"|\b(?<!new )(?:best|record|last|running|initial|smoothed)"
    r"(?:[\s:(=|,\"'{-]{1,7}(?:so far|was|at|in|epoch|model|result|score|value|with|(?<=epoch )\d{1,6}))*"
    r"[\s:(=|\"'{-]{0,7}$"
)
"""Before a name: its value is of another metric, of a moment of the past, or of another kind."""


class Mention(NamedTuple):
    """A metric on a line; a tuple, because a log of millions of lines may have as many.

    Attributes:
        name: The metric, as it was asked for.
        rank: Of the spelling; 0 is the most trusted.
        text: The number as it is written.
        number: See `number_of`; None for what is no number, or may be one of two.
        begin: Position of the name.
        start: Position behind the name.
        end: Position behind the number.
    """

    name: str
    rank: int
    text: str
    number: float | str | None
    begin: int
    start: int
    end: int


def mentions_in(line: str, names: tuple[str, ...]) -> Iterator[Mention]:
    """Yield every metric of these names on a line, from left to right."""
    shortest, by_end = _spellings(names)
    lowered = line.lower()
    small = _spaced(lowered)
    if not any(spelling in small for spelling in shortest):
        return
    line = line if len(line) == len(lowered) else lowered  # some letters have two in lower case
    for sign in _SIGN.finditer(line):
        start = sign.start()
        before = small[start - 1 : start]
        if before not in by_end and (before in _QUOTES or before.isspace()):
            start = _end_of_name(line, start)
            before = small[start - 1 : start]
        for spelling, name, rank in by_end.get(before, ()):
            begin = start - len(spelling)
            if small.endswith(spelling, 0, start) and _is_whole(line, begin):
                match = BEHIND_SIGN.match(line, sign.start())
                if match is None or RANGE_OF_NAME.match(line, sign.start()) is not None:
                    continue
                if BAR_BEHIND.match(line, match.end()) is None:
                    text, number = number_of_several(line, begin, match) or number_at(line, match)
                    yield Mention(name, rank, text, number, begin, start, match.end())


def _end_of_name(line: str, end: int) -> int:
    """Return where a name ends before a sign: without blanks, and without a quote."""
    if line[end - 1 : end].isspace():
        end = max(len(line[:end].rstrip()), end - _MOST_BLANKS)
    return end - 1 if line[end - 1 : end] in _QUOTES else end


def split_of_mention(line: str, mention: Mention) -> Split:
    """Return of what a value is, as its line says it; nothing where the name itself does."""
    return Split.UNNAMED if has_split(mention.name) else split_at(line, mention.begin, mention.start, mention.end)


def chosen(line: str, mentions: Sequence[Mention]) -> list[Mention]:
    """Return of one metric's numbers on a line those of its most trusted name and split."""
    numbers = [mention for mention in mentions if mention.number is not None]
    if len(numbers) <= 1:
        return numbers
    best = min(mention.rank for mention in numbers)
    ranked = [mention for mention in numbers if mention.rank == best][-MOST_ON_A_LINE:]
    if isinstance(ranked[-1].number, str):
        return ranked[-1:]
    splits = [split_of_mention(line, mention) for mention in ranked]
    return [mention for mention, split in zip(ranked, splits, strict=True) if split is min(splits)]


def metrics_in(line: str, names: tuple[str, ...]) -> dict[str, float | str]:
    """Return metric name -> last number on the line after that name or its most trusted alias; see `number_of`.

    Of ``val: acc 0.7 | train: acc 0.9`` that of training counts only where it is the only one.
    """
    return last_numbers(line, grouped(line, names))


def grouped(line: str, names: tuple[str, ...]) -> dict[str, list[Mention]]:
    """Return what `mentions_in` yields, by name."""
    found: dict[str, list[Mention]] = {}
    for mention in mentions_in(line, names):
        found.setdefault(mention.name, []).append(mention)
    return found


def last_numbers(line: str, found: Mapping[str, Sequence[Mention]]) -> dict[str, float | str]:
    """Return metric name -> the last of its numbers that are `chosen`."""
    last = {name: chosen(line, mentions)[-1:] for name, mentions in found.items()}
    return {
        name: mention.number for name, mentions in last.items() for mention in mentions if mention.number is not None
    }


def labelled(line: str, mention: Mention) -> str:
    """Return the name of a metric as it stands on a line, with the word before it."""
    word = _WORD_BEFORE.search(line[max(0, mention.begin - _LONGEST_NAME) : mention.begin])
    return f"{word[0].lstrip() if word is not None else ''}{line[mention.begin : mention.start]}"


@functools.cache
def _spellings(names: tuple[str, ...]) -> tuple[tuple[str, ...], Mapping[str, list[tuple[str, str, int]]]]:
    """Return the spellings that no other is in, and (spelling, name, rank) of all by their last letters.

    They are in lower case with spaces: a person prints "Val Acc: 0.9" for val_acc. Rank 0 is the most trusted.
    """
    ranked: dict[tuple[str, str], int] = {}
    for name in names:
        for rank, alias in enumerate(aliases(name)):
            ranked.setdefault((_spaced(alias.lower()), name), rank)
    by_end: dict[str, list[tuple[str, str, int]]] = {}
    for (spelling, name), rank in ranked.items():
        by_end.setdefault(spelling[-1:], []).append((spelling, name, rank))
    every = {spelling for spelling, _ in ranked}
    return tuple(each for each in every if not any(other in each for other in every - {each})), by_end


def _spaced(text: str) -> str:
    return text.replace("_", " ").replace("/", " ")


def _is_whole(line: str, start: int) -> bool:
    """Whether a name that begins at a position is no part of a longer one, and is of this moment."""
    before = line[max(0, start - _LONGEST_NAME) : start]
    if before[-1:].isalnum() or before[-1:] in _PART_OF_A_NAME:
        return False
    return _OTHER.search(before.lower()) is None
