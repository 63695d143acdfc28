"""The forms of `grammar.toml` as regular expressions."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.request.numbers import COUNT, DURATION, NAMED_DURATION, WORDS

# An item ends where its last word ends: "20 trials/GPU", "2-fold" and "1.5" are no ends.
_END = r"(?![\w'/%+-]|[.,:]\d)"
_READ = {
    "count": f"(?P<n>{COUNT})",
    "duration": f"(?P<n>{DURATION})",
    "named_duration": f"(?P<n>{NAMED_DURATION})",
    "number": COUNT,
    "fraction": r"(?P<n>\d+(?:\.\d+)?)",
    "signature": r"(?P<signed>(?-i:[A-Z][a-z]*\.?(?:\s[A-Z][a-z]*\.?){0,3}))(?=[.!]?\s*\Z)",
    "capital": "(?-i:[A-Z][a-z]+)",
    "digits": r"(?P<n>\d+)",
    "name": r"(?P<n>\w+)",
    "real": r"(?:\d+(?:\.\d+)?(?:e-?\d+)?|(?<![.\d])\.\d+)",
    "paren": r"[()]",
    # A file of weights, an archive or a program is no data, and "/path/to/train" stands for a path.
    "path": r"(?!\S*/(?:path|your|some|foo|example)\b)"
    r"(?!\S*\.(?:ckpt|pth|pt|onnx|safetensors|zip|t?gz|tar|ya?ml|log|py)(?![\w/]))"
    r"(?P<n>(?:~|\.\.?)?(?:/[\w.@+-]+)+/?(?<![.]))",
    "word": WORDS,
}


NO_NAME = ("search", "setting", "limit", "no_noun")
"""Kinds of words that are no name: \"Thanks, Bob\" is signed, \"Thanks, Nein\" is not."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form.

    Attributes:
        name: The setting that it names, or the kind of what names none.
        value: What it says about the setting, where its words are fixed.
        place: ``alone`` where nothing after it in its clause may limit it, ``only`` where it is the whole clause,
            ``clause`` where it stands against the clauses beside it.
        pattern: Its text.
    """

    name: str
    value: str
    place: str
    pattern: re.Pattern[str]

    def match(self, text: str, position: int) -> re.Match[str] | None:
        """Return the match at a position, where what stands for a noun can be one."""
        match = self.pattern.match(text, position)
        if not match or not match[0]:
            return None
        nouns = [word for name, word in match.groupdict().items() if name.startswith("noun") and word]
        return (
            None
            if any(is_of_kind(form, NO_NAME) for word in nouns for form in (word, word.removesuffix("s")))
            else match
        )


@functools.cache
def _document() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("grammar.toml").read_text(encoding="utf-8"))


@functools.cache
def forms(metrics: tuple[str, ...], names: tuple[str, ...]) -> tuple[Form, ...]:
    """Return the forms for a skill with these names whose metrics have these names in texts."""
    read = {**_READ, "metric": f"(?P<metric>{_spelt(metrics)})", "skill": _spelt(names)}
    return tuple(
        Form(*_setting(key), re.compile(f"(?:{_with_nouns(_pattern(form, read))}){_END}", re.IGNORECASE))
        for key, entry in _document()["forms"].items()
        for form in (entry if isinstance(entry, str) else "||".join(entry)).split("||")
    )


@functools.cache
def _kind(kind: str) -> re.Pattern[str]:
    return re.compile(_pattern("|".join(_document()["questions"][kind]), _READ), re.IGNORECASE)


def is_of_kind(word: str, kinds: tuple[str, ...]) -> bool:
    """Return whether a word is of one of the kinds under ``questions``."""
    return any(_kind(kind).fullmatch(word) for kind in kinds)


@functools.cache
def listed(name: str) -> re.Pattern[str]:
    """Return the expression of a list under ``words``."""
    return re.compile(_pattern(f"{{{name}}}", _READ), re.IGNORECASE)


def _setting(key: str) -> tuple[str, str, str]:
    setting, _, place = key.partition(" ")
    name, _, value = setting.partition("=")
    return name, value, place


def _pattern(form: str, read: dict[str, str]) -> str:
    """Return a form in short notation as a regular expression."""
    lists = _document()["words"]
    while (longer := re.sub(r"\{(\w+)\}", lambda match: _listed(match, lists), form)) != form:
        form = longer
    form = re.sub(r"\((?!\?)", "(?:", form).replace("[", "(?:").replace("]", ")?").replace(" ", r"\s+")
    for name, expression in read.items():
        form = form.replace(f"{{{name}}}", expression)
    return form


def _with_nouns(pattern: str) -> str:
    """Return an expression with a group for each noun."""
    first, *others = pattern.split("{noun}")
    return first + "".join(rf"(?P<noun{i}>(?-i:[a-z]{{3,}})){other}" for i, other in enumerate(others))


def _listed(match: re.Match[str], lists: dict[str, Any]) -> str:
    words = lists.get(match[1], match[0])
    return match[0] if words == match[0] else f"({words if isinstance(words, str) else '|'.join(words)})"


def _spelt(names: tuple[str, ...]) -> str:
    """Return an expression of names, however their words are joined; none fits where there are none."""
    longest_first = sorted((name for name in names if name), key=len, reverse=True)
    return "|".join(re.sub(r"\\?[/_\s-]", r"[/_\\s-]*", re.escape(name)) for name in longest_first) or "(?!)"
