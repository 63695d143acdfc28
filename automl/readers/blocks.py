"""Records of a log that stand on several lines: an object in brackets, or fields on lines of their own.

An object becomes one line, as do the objects inside one that has several epochs. Fields are set apart by blank lines
and rules, or by their indentation: where the epoch is the field behind a value, it is given before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.readers.names import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from automl.readers.notices import Notices

BEGINS = frozenset(("", *" \t\v\f\u00a0-=*#.[┌└├╭╰╒╘╞┏┗"))
"""First letters of a line, or none, that may begin a record or end one."""
ENDS = frozenset("{(,-=*#─━═┐┘┤╮╯")
"""Last ones."""
_RULE = re.compile(r"\W?([-=*#_~+.─━═])\1{2,}\W?$")
_MARGIN = " \t│├└─┃"
"""What stands before a line that is below another one, blanks or the branches of a tree."""
_LOGGED = re.compile(
    r"\W{0,2}(?:\d{4}-\d\d-\d\d.{0,60}?|\d\d:\d\d:\d\d.{0,60}?)?\b(?:INFO|DEBUG|WARNING)\b\]?(?::[\w.]{1,40}:|\s?[-:|]\s?|\s)?"
    r"|\[?(?:\d{4}-\d\d-\d\d[ T])?\d\d:\d\d:\d\d(?:[.,]\d{1,6})?\]?(?:\s|$)"
)
"""What a logger puts before a line."""
_FIELD = re.compile(r"[\s\"'|>*•+-]{0,40}([^\W\d][^:=|]{0,60}?)[\"']?\s{0,20}[:=|]")
_EPOCH = re.compile(r"[\s\"'|>*•+-]{0,40}epoch[\"']?\s{0,9}[:=]\s{0,9}[\"']?\d", re.IGNORECASE)
_ANY_EPOCH = re.compile(r"\bepoch\b\W{0,4}\d", re.IGNORECASE)
_KEYED_EPOCH = re.compile(r"[\"']epoch[\"']\s?:\s?[\"']?(\d[\d.]{0,20})")
_TEXTS = re.compile(r"\"[^\"]*\"|'[^']*'")
_OPENER = re.compile(r"\{$|\w\($|[{(]\s?[\"']?\w[\w /.-]{0,60}[\"']?\s?[:=].*,$")
_LOST = re.compile(r"\b(?:nan|inf(?:inity)?)\b", re.IGNORECASE)
_MOST_FIELDS = 60
_MOST_LINES = 400
_MOST_LETTERS = 9000
_MOST_STRANGE = 50
_DEEPEST = 20
_FEW = 2


@dataclass(slots=True)
class Blocks:
    """Gives the lines of a log so that each record is one line, or begins with its epoch.

    Attributes:
        notices: Where to say that a record was not read.
        has_objective: Whether a line has it.
        is_free: Whether the epoch that was named last has its value already, or none was named.
        is_open: Lines of a record may come.
        moved: The last line with an epoch that is given before others.
    """

    notices: Notices
    has_objective: Callable[[str], bool]
    is_free: Callable[[], bool]
    is_open: bool = True
    moved: str = ""
    # The lines of an object so far, how many brackets are open, and how many lines of others stood between them.
    _object: list[str] = field(default_factory=list)
    _depth: int = 0
    _strange: int = 0
    _letters: int = 0
    # Fields: the least indentation of a record, whether it is apart, its names, and what waits for its epoch.
    _floor: int | None = None
    _is_apart: bool = True
    _keys: set[str] = field(default_factory=set)
    _held: list[str] = field(default_factory=list)
    _epoch: tuple[int, int] | None = None
    _is_mixed: bool = False
    _has_title: bool = False
    _is_given: bool | None = None
    _indent: int = 0
    _without: int = 0

    def take(self, line: str) -> list[str]:
        """Take a line over; return those that are complete now, in their order."""
        plain = line.strip()
        if line[:1] == "\r":
            return [f"\r{plain}"]
        if self._object:
            return self._inside(line, plain)
        if not self._held and line[:1] == " " and plain[:1].isdigit():
            return [plain]  # most rows of a table of blanks
        depth = _depth_of(plain)
        if depth > 0 and _OPENER.search(plain) is not None:
            ready = self._close(is_whole=True)
            self._object, self._depth, self._strange, self._letters = [line], depth, 0, len(line)
            self.is_open = True
            return ready
        return self._outside(line, plain)

    def end(self) -> list[str]:
        """Return what waits."""
        return [*self._close(is_whole=True), *self._refused()]

    def _inside(self, line: str, plain: str) -> list[str]:
        text = without_stamp(line)
        is_part = text[:1] in " \t" or text[:1] in "\"'{}[])" or text[:1].isdigit()
        if not is_part or not plain:
            self._strange += 1
            if self._strange <= _MOST_STRANGE:
                return [plain] if plain else []
            return [*self._refused(), plain]
        self._object.append(text)
        self._depth += _depth_of(text)
        self._letters += len(plain)
        if self._depth > 0:
            return self._refused() if len(self._object) > _MOST_LINES or self._letters > _MOST_LETTERS else []
        text, self._object = " ".join(each.strip() for each in self._object), []
        self._begin(is_apart=True)
        return self.objects(text)

    def _refused(self) -> list[str]:
        """Give an object up that is too long, or has no end: what it says of the metric has no epoch."""
        lines, self._object = [each.strip() for each in self._object], []
        self._begin(is_apart=False)
        kept = [line for line in lines if not self.has_objective(line)]
        if len(kept) < len(lines):
            self.notices.say(
                "object",
                f"{self.notices.objective} was not read from an object on several lines of the log that has no end, or "
                f"more than {_MOST_LINES} lines or {_MOST_LETTERS} letters; print it on one line",
            )
        return kept

    def objects(self, text: str, level: int = 0) -> list[str]:
        """Return the objects of a text that have one epoch each, of a text inside as many others."""
        numbers = _KEYED_EPOCH.findall(text)
        if len(numbers) < _FEW:
            return [text]
        inner = [part for part in _inner(text) if _KEYED_EPOCH.search(part) is not None]
        outer = text
        for part in inner:
            outer = outer.replace(part, "", 1)
        own = set(_KEYED_EPOCH.findall(outer))
        if len(set(numbers)) == 1:
            return [outer if own and self.has_objective(outer) else text]
        if len(own) < _FEW and level < _DEEPEST:
            # Of an object with an epoch of its own, those inside are of earlier ones.
            return [outer] if own else [each for part in inner for each in self.objects(part, level + 1)]
        if self.has_objective(text):
            where = "an object in the log with several numbers of an epoch"
            self.notices.say("epochs", f"{self.notices.objective} was not read from {where}; print one")
        return []

    def _outside(self, line: str, plain: str) -> list[str]:
        text = without_stamp(line)
        stripped = text.strip()
        if not stripped or _RULE.fullmatch(stripped) is not None:
            ready = self._close(is_whole=True)
            self._begin(is_apart=True)
            return [*ready, plain] if plain else ready
        indent, before = len(text) - len(text.lstrip(_MARGIN)), self._indent
        is_item = stripped.startswith("- ")
        self._indent = indent + 2 * is_item
        text = text[indent:]
        found = _FIELD.match(text)
        key = key_of(found[1]) if found is not None else ""
        ready = self._closed_by(indent, key)
        if is_item and not self._held:
            self._floor = None
        if self._floor is None and (is_item or self._indent > before or (self._is_apart and key)):
            self._is_apart = self._is_apart and not is_item and self._indent <= before
            self._floor = indent if self._is_apart else indent + 1 if is_item else before + 1
            self._begun()
        if self._floor is None:
            # One line that is no field may be the title of those below it.
            is_title = self._is_apart and not self._has_title
            self._begin(is_apart=is_title)
            self._has_title = is_title
            return [*ready, plain]
        if self._indent <= self._floor:
            self._keys.add(key)
            if len(self._keys) > _MOST_FIELDS:
                ready += self._close(is_whole=False)
                self._begin(is_apart=False)
                return [*ready, plain]
        return [*ready, *self._kept(text, plain)]

    def _begin(self, *, is_apart: bool) -> None:
        self._floor, self._is_apart, self.is_open, self._indent = None, is_apart, is_apart, 0
        self._has_title = False

    def _begun(self) -> None:
        self._keys, self._epoch, self._is_mixed, self.is_open = set(), None, False, True

    def _closed_by(self, indent: int, key: str) -> list[str]:
        """Return what waits where a line is not of its record."""
        if self._floor is None:
            return []
        if indent < self._floor:
            return self._close(is_whole=True)
        if self._is_apart and self._indent <= self._floor and (not key or key in self._keys):
            is_inside = self._epoch is not None and self._epoch[1] > self._floor
            return self._close(is_whole=is_inside)
        return []

    def _kept(self, text: str, plain: str) -> list[str]:
        if _LOST.search(plain) is not None:
            return [plain]  # what is not finite never waits
        is_epoch = _EPOCH.match(text) is not None
        if not self._held:
            is_named = is_epoch or _ANY_EPOCH.search(plain) is not None
            self._is_mixed |= is_named
            if self._is_mixed or self._without >= _FEW or not self.is_free() or not self.has_objective(_as_pair(plain)):
                return [plain]
            if self._is_given is None:
                # The first value never waits: it is given again if its epoch comes.
                self._is_given = True
                self._held.append(plain)
                return [plain]
        elif is_epoch and self._epoch is None:
            self._epoch = len(self._held), self._indent
        elif _ANY_EPOCH.search(plain) is not None:
            self._is_mixed = True
        self._held.append(plain)
        if len(self._held) > _MOST_LINES:
            return self._close(is_whole=False)
        return []

    def _close(self, *, is_whole: bool) -> list[str]:
        held, self._held, self._floor, self._is_apart = self._held, [], None, False
        if not held:
            return []
        given, self._is_given = int(self._is_given or False), False
        if self._epoch is None:
            self._without += 1
        elif is_whole and not self._is_mixed:
            self._without, given = 0, 0
            self.moved = held.pop(self._epoch[0])
            held.insert(0, self.moved)
        return held[given:]


def without_stamp(line: str) -> str:
    """Return a line without what a logger puts before it."""
    stamp = _LOGGED.match(line)
    return line[stamp.end() :] if stamp is not None else line


def _depth_of(text: str) -> int:
    if '"' in text or "'" in text:
        text = _TEXTS.sub("", text)
    return text.count("{") + text.count("(") - text.count("}") - text.count(")")


def _inner(text: str) -> Iterator[str]:
    """Yield the objects inside the outermost one."""
    begin, depth, is_text = 0, 0, ""
    least = 1 if text.lstrip()[:1] == "{" else 0
    for at, letter in enumerate(text):
        if is_text:
            is_text = "" if letter == is_text else is_text
        elif letter in "\"'":
            is_text = letter
        elif letter == "{":
            begin = at if depth == least else begin
            depth += 1
        elif letter == "}":
            depth -= 1
            if depth == least:
                yield text[begin : at + 1]


def _as_pair(line: str) -> str:
    """Return a row of a table with a name and its number as any other line."""
    return line.strip("| ").replace("|", ":") if line[:1] == "|" else line
