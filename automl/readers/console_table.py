"""Tables in a log: a line with the names of columns and rows below it, or a name and its number in one row.

A row becomes a line of names and numbers, ``epoch: 1, acc: 0.7``, and is read as any other. Columns stand between bars
(rich, prettytable, tabulate, Markdown), tabs, commas or spaces (skorch, fastai, YOLO). Of rows for classes that of all
classes counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.readers.blocks import without_stamp
from automl.readers.mentions import metrics_in
from automl.readers.names import key_of
from automl.readers.splits import COLUMNS, OF_ALL, Split, has_split, split_of

if TYPE_CHECKING:
    from automl.readers.notices import Notices

_LINES = "|│┃║"
BEGINS = frozenset(_LINES + " ")
"""First letters of a line that may be a row between bars."""
_BETWEEN = re.compile(f"[{_LINES}]")
_BAR = re.compile(r":\s+\d{1,3}%.*")
"""Of a line that is a progress bar, too: ``mAP50-95: 100%|####| 4/4``."""
_NO_VALUE = r"\s+\d{1,3}%|(?<=\d:)(?:[\d.]{1,4}:\s|(?:0?\.)?95\b)"
"""What else may stand behind a name and a colon: such a bar, or the end of a range, ``mAP@.5:.95``."""
_PROGRESS = re.compile(r"%\|[^|]*\|\s*\d+/\d+\s?\[")
"""In a line that is nothing else: ``50%|##  | 1/2 [00:01<00:01, 2.0it/s]``, whose bars separate no cells."""
_APART = re.compile(r"\S(?:\S|\s(?=\S))*")
_MARKS = " :%*#↑↓✓\r\n"
_PERCENT = re.compile(r"\s?[(\[]%[)\]]$")
_NUMBER = re.compile(r"[-+]?(?:\d|\.\d|nan\b|inf\b)", re.IGNORECASE)
_WORD = re.compile(r"(?!nan\b|inf\b|none\b|n/?a\b)[^\W\d_]{2,}", re.IGNORECASE)
_EPOCH_CELL = re.compile(r"\d{1,6}(?:\.\d+)?(?:\s?/\s?\d{1,6})?")
_EPOCHS = frozenset({"epoch", "epochs", "ep"})
_COMMON = _EPOCHS | {"step", "iter", "iteration", "loss", "time", "lr", "train_loss", "val_loss", "valid_loss"}
"""Names of which one stands in a table whose columns are one blank apart: words of a sentence are, too."""
_CLASSES = frozenset({"class", "category", "classes"})
_COLUMN = re.compile(r"\bepochs?\b(?![\W_]{0,4}\d)")
_FEW = 2
_LONGEST = 1000
_MOST_ROWS = 10_000


@dataclass(slots=True)
class ConsoleTable:
    """The table that a log shows now.

    Attributes:
        names: Under which it may stand.
        watched: What else is read.
        notices: Where to say that a table was not read.
        word: The first word of the objective, without its split: a line with the names of columns has it, or ``epoch``.
        is_begun: There is a table whose rows may come.
    """

    names: tuple[str, ...]
    watched: tuple[str, ...]
    notices: Notices
    word: str = field(init=False)
    is_begun: bool = False
    # The word as a name that a number follows.
    _is_plain: re.Pattern[str] = field(init=False)
    _columns: list[str] = field(default_factory=list)
    _read: frozenset[int] = frozenset()
    _delimiter: str = ""
    # The cells of the last row without a number, whether a table of the objective was seen, and whether it was read.
    _above: list[str] = field(default_factory=list)
    _is_seen: bool = False
    _is_read: bool = False
    # Columns of the row before without a number: marks of some rows, which others lack.
    _marks: list[int] = field(default_factory=list)
    # Cells and names of the first row that has others than its table.
    _odd_row: tuple[int, int] | None = None
    _is_stamped: bool = False
    _has_all: bool = False
    # The rows so far, and those of the time before: a trainer may print all of a table anew in each epoch.
    _rows: list[list[str]] = field(default_factory=list)
    _before: list[list[str]] = field(default_factory=list)
    _is_anew: bool = False

    def __post_init__(self) -> None:
        words = [word for word in re.split(r"[\s/_()\[\]]+", self.notices.objective.lower()) if word]
        self.word = next((word for word in words if split_of(word) is Split.UNNAMED), words[0] if words else "")
        name = rf"{re.escape(self.word)}[^\s=:|]{{0,40}}"
        self._is_plain = re.compile(rf"{name}[\"']?\s{{0,9}}(?:=|:(?!{_NO_VALUE}))")

    def take(self, line: str, small: str) -> str:
        """Return a row as a line of names and numbers, and any other line as it is."""
        if self.is_begun:
            row = self._row(without_stamp(line) if self._is_stamped else line)
            if row is not None:
                return row
        if self.word in small:
            if self._is_plain.search(small) is not None:
                return line
        elif ("epoch" not in small or _COLUMN.search(small) is None) and not _begins_lined(line):
            return line
        plain = without_stamp(line)
        return self._begun(plain, is_stamped=len(plain) < len(line)) or line

    def end(self, *, has_objective: bool) -> None:
        """Say that a table was seen, and nothing or not all of it read."""
        if self._is_read and self._odd_row:
            cells, names = self._odd_row
            self.notices.say(
                "row",
                f"a row of a table in the log has {cells} cells below {names} names, and was not read: print lines "
                "between the cells, or a word in each empty one",
            )
        if self._is_seen and not self._is_read and not has_objective:
            self.notices.say(
                "table",
                f"{self.notices.objective} is the name of a column in a table of the log, of which no row was read: "
                f"print {self.notices.objective}: 0.5 on a line",
            )

    def _begun(self, line: str, *, is_stamped: bool) -> str | None:
        """Take the names of columns over; return a row with a name and its number as a line."""
        cells, delimiter = self._split(_BAR.sub("", line[:_LONGEST]))
        if len(cells) < _FEW or not any(map(str.isalpha, line)):
            return None
        if not any(_NUMBER.match(cell) for cell in cells):
            self._begin(cells, delimiter, is_stamped=is_stamped)
            return None
        is_named = _begins_lined(line) and all(_NUMBER.match(cell) for cell in cells[1:])
        if not is_named or not self._is_read_of(cells[0]):
            return None
        self._is_seen = self._is_read = True
        if len(cells) == _FEW:
            return f"{cells[0]}: {cells[1]}"
        heads = self._above if len(self._above) == len(cells) else [""] * len(cells)
        pairs = zip(heads[1:], cells[1:], strict=True)
        return " | ".join(f"{head} - {cells[0]}: {cell}" for head, cell in pairs)

    def _begin(self, cells: list[str], delimiter: str, *, is_stamped: bool) -> None:
        self._above = cells
        read = frozenset(number for number, cell in enumerate(cells) if self._is_read_of(cell))
        if read or any(key_of(cell) in _EPOCHS for cell in cells):
            is_anew = cells == self._columns
            self._before, self._rows = self._rows if is_anew else [], []
            # One of classes has as many rows each time, which may be equal.
            self._is_anew = len(self._before) >= _FEW and not _CLASSES.intersection(map(key_of, cells))
            self._columns, self._read, self._delimiter, self._has_all = cells, read, delimiter, False
            self.is_begun, self._is_stamped = True, is_stamped
            self._is_seen |= any(metrics_in(f"{cell}: 1", self.names) for cell in cells)
        elif delimiter == self._delimiter and len(cells) == len(self._columns):
            self.is_begun = False  # another table begins

    def _is_read_of(self, name: str) -> bool:
        return bool(metrics_in(f"{name}: 1", (*self.names, *self.watched)))

    def _split(self, line: str) -> tuple[list[str], str]:
        """Return the cells of a line with names, and what separates them."""
        if _BETWEEN.search(line) is not None:
            return _cells(line, _LINES), _LINES
        for delimiter in "\t,;":
            if delimiter in line and len(cells := _cells(line, delimiter)) > 1:
                return cells, delimiter
        apart, tokens = list(map(_plain, _APART.findall(line))), list(map(_plain, line.split()))
        is_close = len(apart) < _FEW or not any(self._is_read_of(cell) for cell in apart)
        if (is_close and {key_of(cell) for cell in tokens} & _COMMON) or any(map(_is_of_several, apart)):
            return tokens, ""
        return apart, ""

    def _row(self, line: str) -> str | None:
        if not self._delimiter and key_of(self._columns[0]) in _EPOCHS:
            first = line.split(None, 1)[:1]
            if not first or _EPOCH_CELL.fullmatch(first[0]) is None:
                return None  # most lines that stand between the rows of a table
        head = _BAR.sub("", line) if ":" in line else line
        cells = self._aligned(head)
        if cells is None:
            return None
        named = [(key_of(column), column, text) for column, text in zip(self._columns, cells, strict=True)]
        pairs = [each for each in named if each[2]]
        numbers = [text for _, _, text in pairs if _NUMBER.match(text)]
        epochs = [text for key, _, text in pairs if key in _EPOCHS]
        if not numbers or not all(map(_EPOCH_CELL.fullmatch, epochs)) or (not epochs and len(numbers) < len(pairs) - 1):
            return None
        self._is_read |= any(_NUMBER.match(cells[number]) for number in self._read)
        classes = {text.lower() for key, _, text in pairs if key in _CLASSES}
        self._has_all |= bool(OF_ALL & classes)
        if self._is_repeated(cells) or (classes and self._has_all and not OF_ALL & classes):
            return ""
        shown = [f"{'epoch' if key in _EPOCHS else name}: {text}" for key, name, text in pairs if key not in _CLASSES]
        return f"{line[: line.startswith(chr(13))]}{', '.join(shown)} {line[len(head) :]}".rstrip()

    def _is_repeated(self, cells: list[str]) -> bool:
        number = len(self._rows)
        if number < _MOST_ROWS:
            self._rows.append(cells)
        self._is_anew &= self._before[number : number + 1] == [cells]
        return self._is_anew

    def _aligned(self, line: str) -> list[str] | None:
        """Return the cells of a row, one for each column; None for a line that is no row."""
        return self._lined(line) if self._delimiter else self._of_blanks(line)

    def _lined(self, line: str) -> list[str] | None:
        count, is_tabbed = len(self._columns), self._delimiter == "\t"
        if not is_tabbed and not any(each in line for each in self._delimiter):
            return None
        if not line.strip() or _PROGRESS.search(line) is not None:
            return None
        cells = _cells(line, self._delimiter)
        # The last cell may be empty, and no mark behind it; tabs at the end of a line are not kept.
        is_open = line[-1] in self._delimiter and line[0] not in self._delimiter and len(cells) == count - 1
        if is_open or (
            is_tabbed and key_of(self._columns[0]) in _EPOCHS and _EPOCH_CELL.fullmatch(cells[0] if cells else "")
        ):
            cells += [""] * (count - len(cells))
        return cells if len(cells) == count else None

    def _of_blanks(self, line: str) -> list[str] | None:
        count = len(self._columns)
        words = line.split()
        if not _FEW <= len(words) <= _FEW * count or not any(map(_NUMBER.match, words[:_FEW])):
            return None
        if self._is_prose(words):
            return None
        if len(words) >= count and not any(map(_NUMBER.match, words[count:])):
            cells = words[:count]
            self._marks = [number for number, text in enumerate(cells) if not _NUMBER.match(text)]
            return cells
        if len(words) == count - 1 == count - len(self._marks) and all(map(_NUMBER.match, words)):
            return [*words[: self._marks[0]], "", *words[self._marks[0] :]]
        self._odd_row = self._odd_row or (len(words), count)
        return None

    def _is_prose(self, words: list[str]) -> bool:
        """Whether a line below names has a word where others have numbers, or names an epoch itself."""
        names, first = self._columns, key_of(self._columns[0])
        texts = {number for number, word in enumerate(words[: len(names)]) if _WORD.match(word) is not None}
        if not texts or key_of(words[0]) in _EPOCHS:
            return bool(texts)
        if 0 not in texts or first in _CLASSES or first in COLUMNS:
            return bool(texts & self._read)
        is_number = has_split(first) or first in _COMMON or bool(self._rows and _NUMBER.match(self._rows[-1][0]))
        return is_number or len(words) > len(names) or bool(texts & self._read)


def _plain(text: str) -> str:
    """Return a cell without marks: of ``Box(P  R  mAP50)``, whose parentheses span columns, the last name is mAP50."""
    text = _PERCENT.sub("", text.strip(" \r\n")).strip(_MARKS)
    return text.rstrip(")") if "(" not in text else text


def _is_of_several(cell: str) -> bool:
    """Whether a name of a table without lines is several, with one blank between them."""
    words = cell.split()
    return len(words) > 1 and any(key_of(word) in _EPOCHS or "_" in word or "/" in word for word in words)


def _begins_lined(line: str) -> bool:
    """Whether a line is a row between bars whose first cell begins with a letter."""
    begin = line.lstrip()
    return begin[:1] in _LINES and begin.lstrip(_LINES + " ")[:1].isalpha()


def _cells(line: str, delimiter: str) -> list[str]:
    """Return the cells between marks; those outside a line that begins and ends with one are none."""
    found = list(map(_plain, re.split(f"[{delimiter}]", line)))
    found = found if found[0] else found[1:]
    return found[:-1] if found and not found[-1] else found
