"""Which data a value is of: the words and the columns by which trainers tell training, validation and test apart."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from re import Match

COLUMNS = ("split", "phase", "stage", "subset", "set", "mode", "type")
"""Names of a column, or of a field of a line, that says it."""
OF_ALL = frozenset({"all", "mean", "avg", "average", "overall", "total"})
"""Values of such a column, or of one for classes or folds, in the row of all."""


class Split(IntEnum):
    """What a value is of, the most trusted first where one metric has values of several.

    Attributes:
        UNNAMED: Nothing says it.
        REMARK: A summary, or an epoch of the past: the best one, or the one that was loaded at the end.
    """

    VALIDATION = 0
    UNNAMED = 1
    TEST = 2
    TRAINING = 3
    REMARK = 4


_SPELLINGS = {
    "train": ("train", "training", "trn", "tr", "learn", "learning", "fit", "fitting"),
    "val": ("val", "valid", "validation", "validating", "dev"),
    "eval": ("eval", "evaluation", "evaluating"),
    "test": ("test", "testing"),
}
SHORT = {word: short for short, words in _SPELLINGS.items() for word in words}
"""Word -> what it is in a metric's name."""
_SPLITS = {"train": Split.TRAINING, "test": Split.TEST, "val": Split.VALIDATION, "eval": Split.VALIDATION}
WORDS: Mapping[str, Split] = {word: _SPLITS[short] for word, short in SHORT.items()}
_ANY = "|".join(sorted(WORDS, key=len, reverse=True))
# No part of a path or of a name: "/data/train/x", "train_loss". `valid_1's auc` is LightGBM's.
_WORD = re.compile(rf"(?<![\w/.\\-])({_ANY})(?:_\d{{1,2}})?(?![\w/\\]|[\s-]rate)", re.IGNORECASE)
_PART = re.compile(rf"(?:\b|_)(?:{_ANY})(?:\b|_)", re.IGNORECASE)
_FIELD = re.compile(rf"[\"']?\b(?:{'|'.join(COLUMNS)})[\"']?\s*[:=]\s*[\"']?({_ANY})\b", re.IGNORECASE)
_REMARK = re.compile(
    r"(?<!new )\bbest\b(?!\.\w)|\b(?:final(?:ly)?|finished|loaded|loading|restored|restoring|early stopping|summary"
    r"|overall|ema|swa|class\W?\d{1,5}|namespace|config|args|settings)\b"
)
_BEST_BELOW = re.compile(r"\bbest\b[^:]*:$", re.IGNORECASE)
LONGEST_HEADING = 40
_HEADING = re.compile(
    rf"\W*(?:on\s)?({_ANY})(?:\s(?:metrics?|results?|set|phase|data|performance|scores?|split|summary|loop|stage|report))"
    r"{0,2}\W*",
    re.IGNORECASE,
)
# Behind a number and its name: "acc: 0.7 (val)", "acc: 0.7 on the val set".
_ON = r"(?:on\s(?:the\s)?)"
_BEHIND = re.compile(
    rf"%?,?\s?(?:[(\[]\s?{_ON}?({_ANY})(?:\s(?:set|data|split))?\s?[)\]]|{_ON}({_ANY})\b)", re.IGNORECASE
)
_IS_BEHIND = re.compile(rf"([\w@%.-]{{1,40}})\s?[:=]\s?[-+\d.e]{{1,20}}%?,?\s?(?:[(\[]\s?{_ON}?|{_ON})$", re.IGNORECASE)
_LONGEST_BEHIND = 80
# Between the word and a name: other names with numbers, or nothing but marks.
_FIELDS_BETWEEN = re.compile(
    r"(?:[^\w\n]{0,9}[\w@.%-]{1,40}\s?[:=]\s?[-+]?[\d.]{1,20}(?:e[-+]?\d{1,3})?%?,?)*[^\w\n]{0,9}$"
)


def split_at(line: str, begin: int, start: int, end: int) -> Split:
    """Return of what a value is, from the beginning and the end of its name to its own end on a line.

    The nearest word before it says it, unless the first word on the line stands behind a value of that name: then the
    word behind does. A field such as ``"split": "train"`` says it from any place of the line.
    """
    word = _WORD.search(line)
    if word is not None:
        before = _IS_BEHIND.search(line, max(0, word.start() - _LONGEST_BEHIND), word.start())
        if before is not None and line[begin:start].endswith(before[1]):
            word = _BEHIND.match(line, end)
            return Split.UNNAMED if word is None else WORDS[(word[1] or word[2]).lower()]
    word = _last_word(line, start) or _FIELD.search(line)
    return Split.UNNAMED if word is None else WORDS[word[1].lower()]


def heading_of(line: str) -> Split:
    """Return of what the lines below a line are that has nothing but a word for it: ``Validation:``, ``== test ==``."""
    word = _HEADING.fullmatch(line)
    return Split.UNNAMED if word is None else WORDS[word[1].lower()]


def is_remark(line: str, start: int) -> bool:
    """Whether a value on a line without an epoch is that of another one, of all, of a part or of averaged weights."""
    return _REMARK.search(line.lower(), 0, start) is not None


def is_above_remark(line: str) -> bool:
    """Whether a line says of the next one that it is the best, as LightGBM's ``Early stopping, best iteration is:``."""
    return line[-1] == ":" and _BEST_BELOW.search(line) is not None


def is_of(line: str, end: int, split: Split) -> bool:
    """Whether nothing but other names with numbers stands between a word for the split and a name on a line."""
    word = _last_word(line, end)
    is_named = word is not None and WORDS[word[1].lower()] is split
    return is_named and word is not None and _FIELDS_BETWEEN.match(line[word.end() : end]) is not None


def _last_word(line: str, end: int) -> Match[str] | None:
    *_, word = [None, *_WORD.finditer(line, 0, end)]
    return word


def is_unclear(counting: Split, other: Split) -> bool:
    """Whether the values of one kind may be those that were meant where those of another count."""
    return counting is other or {counting, other} == {Split.UNNAMED, Split.TEST}


def has_split(name: str) -> bool:
    """Whether a metric's name says of what it is."""
    return _PART.search(name) is not None


def split_of(text: str) -> Split:
    """Return of what a file's folder or a cell of a table says that its values are: ``b_train``, ``validation``."""
    found = {WORDS[word] for word in re.split(r"[^a-z]+", text.lower()) if word in WORDS}
    return found.pop() if len(found) == 1 else Split.UNNAMED
