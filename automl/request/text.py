"""Read policy, budget, resources and metric from a request in plain text.

The whole text must be made of the forms of `grammar.toml`. A word outside them is a question for the user, so nothing
that is said is passed over: no negation, no limit, no other setting, no other language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from automl.duration import format_duration
from automl.request.grammar import forms, is_of_kind
from automl.request.metric_names import metric_named, spoken_names
from automl.request.numbers import is_one_duration, read_duration_s, read_number
from automl.request.questions import Phrase, Question, advice_on, contradictions, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from automl.request.policy import Policy

Value = float | str

_LONGEST = 4000
_AMOUNTS = {"trials", "time_s", "trial_time_limit_s", "gpu_hours", "gpus", "gpus_per_trial", "jobs"}
_SPACE = re.compile(r"[^\S\n]+")
_BREAK = re.compile(r"[,;:!?\n]|[.](?=\s|$)|[-*\u2022](?=\s)")
_WORD = re.compile(r"[^\s,;:!?()]*[^\s,;:!?().]|\S")
_BARE_EACH = re.compile(r"each(?: limited.*)?|.*(?:each|apiece)", re.IGNORECASE | re.DOTALL)
_BARE_SHARE = re.compile(r"\S+ per \w+", re.IGNORECASE)
_BARE_WITH = re.compile(
    r"(?:with|by|using|running|doing|trying) (?!.*(?:budget|limit|total))", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRequest:
    """The result of reading a request.

    Attributes:
        policy: What the text says about searching; None where it says nothing.
        values: Setting -> number, or text for metric, sampler and scheduler.
        phrases: Setting, or ``policy`` -> the text behind the value.
        questions: The rest of the text.
    """

    policy: Policy | None
    values: Mapping[str, Value]
    phrases: Mapping[str, Phrase]
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True, slots=True)
class _Item:
    """A part of the text in the order of reading; ``name`` is a setting, or the kind of what has no value."""

    name: str
    start: int
    text: str
    value: Value | None = None
    is_alone: bool = False


def parse_request(text: str, *, metrics: Mapping[str, str], names: tuple[str, ...] = ()) -> ParsedRequest:
    """Read a request.

    Args:
        text: The user's text.
        metrics: Name -> direction of the metrics that the skill's registry knows.
        names: Names of the skill.
    """
    if len(text) > _LONGEST:
        said = f"{text[:40]}... ({len(text)} characters, {_LONGEST} at most)"
        return ParsedRequest(policy=None, values={}, phrases={}, questions=(Question(text=said, unread=(said,)),))
    plain = text.replace("\u2019", "'").replace("\u2013", "-").replace("\u2014", ", ")
    values: dict[str, Value] = {}
    phrases: dict[str, Phrase] = {}
    questions: list[Question] = []
    for clause in _clauses(_in_context(_scan(plain, metrics, names))):
        unread = tuple(item.text for item in clause if item.name == "unread")
        if unread:  # what else stands in the clause may be negated, limited or made into something else by it
            said = " ".join(item.text for item in clause)
            questions.append(Question(text=said, unread=unread, advice=advice_on(said, unread, metrics)))
            continue
        for item in clause:
            if item.value is None:
                continue
            if values.setdefault(item.name, item.value) != item.value:
                questions.append(Question(text=f"{phrases[item.name].text} ... {item.text}", setting=item.name))
            phrases.setdefault(item.name, Phrase(item.text, meaning_of(item.name, item.value, metrics)))
    policy: Any = values.pop("policy", None)
    questions += contradictions(policy, values, phrases)
    return ParsedRequest(policy=policy, values=values, phrases=phrases, questions=tuple(questions))


def _scan(text: str, metrics: Mapping[str, str], names: tuple[str, ...]) -> Iterator[_Item]:
    """Read a text from left to right: the longest form that fits, or else one word that is not read."""
    known, position = forms(spoken_names(tuple(metrics)), names), 0
    while position < len(text):
        position = space.end() if (space := _SPACE.match(text, position)) else position
        fitting = [(match, form) for form in known if (match := form.pattern.match(text, position))]
        if fitting:
            match, form = max(fitting, key=lambda pair: pair[0].end())
            value = _value(form.name, form.value, match, metrics)
            name = form.name if value is not None or form.name not in _READ else "unread"
            if name == "signature" and is_of_kind(words_of(match[0])[-1], ("search", "setting", "limit")):
                name = "unread"
            item = _Item(name, position, " ".join(match[0].split()), value, form.is_alone)
            metric = metric_named(match, metrics) if name == "target" else None
            yield from (replace(item, name="metric", value=metric), item) if metric else (item,)
        elif match := _BREAK.match(text, position):
            yield _Item("break", position, match[0])
        elif match := _WORD.match(text, position):
            yield _Item("unread", position, match[0])
        position = match.end() if match else len(text)


def _in_context(items: Iterator[_Item]) -> Iterator[_Item]:
    """Mark as unread what a word before it may change."""
    amount = last = ""
    is_alone = is_polite = False
    for item in items:
        is_unread = item.text == "?" and not is_polite
        if item.name == "break":
            is_alone, is_polite = False, is_polite and item.text not in {".", "!", "?"}
        elif item.name in _AMOUNTS:
            is_rate = last in _AMOUNTS and item.text.lower().startswith(("a ", "an "))
            is_each = _BARE_EACH.fullmatch(item.text) and amount not in {"", "trials", "jobs"}
            is_of_each = last == "trials" and item.name == "time_s" and _BARE_WITH.match(item.text)
            is_share = _BARE_SHARE.fullmatch(item.text) and item.name == "gpus_per_trial" and amount != "gpus"
            is_unread = bool(is_alone or is_rate or is_each or is_of_each or is_share)
            amount = item.name
        elif item.name == "data":
            is_unread = is_alone
        yield _Item("unread", item.start, item.text) if is_unread else item
        is_alone, is_polite = is_alone or item.is_alone, is_polite or item.name == "polite"
        last = item.name


def _clauses(items: Iterator[_Item]) -> Iterator[list[_Item]]:
    clause: list[_Item] = []
    for item in items:
        if item.name == "break":
            yield clause
            clause = []
        else:
            clause.append(item)
    yield clause


def _value(name: str, fixed: str, match: re.Match[str], metrics: Mapping[str, str]) -> Value | None:
    """Return what a form says; None where it names no setting, or no value that can be."""
    if name == "metric":
        return metric_named(match, metrics)
    if name == "target" and metric_named(match, metrics) is None:
        return None
    if fixed:
        return fixed if name in {"policy", "warm_start"} else float(fixed)
    return _READ[name](match) if name in _READ else None


def _count(match: re.Match[str]) -> Value | None:
    number = read_number(match["n"]) - (1 if match.groupdict().get("fewer") else 0)
    return number if number >= 1 and number == int(number) else None


def _limit_each(match: re.Match[str]) -> Value | None:
    # "2 hours and 30 minutes per trial" may be a total and a limit.
    return None if re.search(r"\sand\s", match["n"], re.IGNORECASE) else _limit(match)


def _share(match: re.Match[str]) -> Value | None:
    number = read_number(match["n"])
    return number if 0 < number < 1 or number == int(number) >= 1 else None


def _limit(match: re.Match[str]) -> Value | None:
    seconds = read_duration_s(match["n"]) if is_one_duration(match["n"]) else 0
    return seconds if seconds >= 5 else None  # noqa: PLR2004 - "a second" try is no limit


_READ: dict[str, Callable[[re.Match[str]], Value | None]] = {
    **dict.fromkeys(("trials", "gpus", "jobs", "patience_trials", "replicates"), _count),
    "time_s": _limit,
    "trial_time_limit_s": _limit_each,
    **dict.fromkeys(("sampler", "scheduler", "metric"), lambda match: match["n"].lower()),
    "gpus_per_trial": _share,
    "gpu_hours": lambda match: read_number(match["n"]) or None,
    "target": lambda match: float(match["n"]),
    "seed": lambda match: float(match["n"]),
}
"""Setting -> its value in a match."""


def meaning_of(name: str, value: Value, metrics: Mapping[str, str] | None = None) -> str:
    """Return what a value means, in words."""
    if isinstance(value, str):
        said = {"on": "search", "off": "train once"}.get(value, f"{name} {value}")
        return f"{metrics[value]} {value}" if metrics and name == "metric" else said
    if name in {"time_s", "trial_time_limit_s"}:
        return f"a time limit of {format_duration(value)}" + ("" if name == "time_s" else " for each trial")
    if name == "gpus_per_trial":
        return f"{value:g} GPUs for each trial" if value else "training on the CPU"
    plural = "" if value == 1 else "s"
    words = {"trials": f"trial{plural}", "gpus": f"GPU{plural} in all", "jobs": "at once", "gpu_hours": "GPU hours"}
    words |= {"patience_trials": "trials without improvement", "replicates": f"replicate{plural} of the best"}
    return f"{value:g} {words[name]}" if name in words else f"{name} {value:g}"
