"""Read policy, budget, resources and metric from a request in plain text.

The whole text must be made of the forms of `grammar.toml`. A word outside them is a question for the user, so nothing
that is said is passed over: no negation, no limit, no other setting, no other language. A clause without a setting may
describe the task: of words that say nothing else, and of nouns that are not known where somebody builds, sells or
records something. To have or to need what is not known may set anything.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from automl.duration import format_duration
from automl.request.grammar import NO_NAME, forms, is_of_kind, listed
from automl.request.metric_names import metric_named, spoken_names
from automl.request.numbers import is_one_duration, read_duration_s, read_number
from automl.request.questions import Phrase, Question, advice_on, contradictions, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from automl.request.grammar import Form
    from automl.request.policy import Policy

Value = float | str

_LONGEST = 4000
_AMOUNTS = {"trials", "epochs", "time_s", "trial_time_limit_s", "gpu_hours", "gpus", "gpus_per_trial", "jobs"}
_OF_A_TRIAL, _OF_ALL = {"gpus_per_trial", "trial_time_limit_s"}, {"time_s", "gpus", "gpu_hours"}
_SPACE = re.compile(r"[^\S\n]+")
_BREAK = re.compile(r"[,;:?()\n]|[!](?!\w)|[/](?=\s)|[.](?=\s|$)|[-*\u2022](?=\s)")
_WORD = re.compile(r"[^\s,;:!?()]*[^\s,;:!?().]|\S")
_BARE_EACH = re.compile(r"each(?: limited.*)?|.*(?:each|apiece)", re.IGNORECASE | re.DOTALL)
_EACH_HAS = re.compile(r"(?:(?!\d)\w+ )?(?:each|every|per) ", re.IGNORECASE)
_BARE_SHARE = re.compile(r"\S+ per \w+", re.IGNORECASE)
_PLAIN = str.maketrans({"\u2019": "'", "\u2013": "-", "\u2014": ", ", **dict.fromkeys("\uff0c\u3001\u3002", ", ")})
_TOTAL = re.compile("budget|limit|total", re.IGNORECASE)
_OF_BOTH = re.compile("((in|for|on|within|and|done|across|the|my|our) )*", re.IGNORECASE)
_TAKES = re.compile(r"\b(take|have|need|needs|get|want|wants|give)\b", re.IGNORECASE)
_SEARCH = re.compile(r"\b(?:search|tuning|optimi[sz]ation|sweep|auto-?ml|hpo)\b", re.IGNORECASE)
_SIZE = re.compile(
    r"\b(?:small|short|big|large|long|quick|full|thorough) (?:\w+ )?"
    r"(?:search\w*|tuning|sweeps?|optimi[sz]ation|auto-?ml|hpo|study)\b"
    r"|\bmake it quick\b",
    re.IGNORECASE,
)
_BUDGETS = {"trials", "time_s", "gpu_hours"}
_KEY = re.compile("[:=]")
_PAIR = re.compile(r"\s*[^\s,a-z]\S*, [^\s,]+\W*", re.IGNORECASE)
_LOG_LAST = re.compile(r"on a log\w* scale\W*$")
_PARAMETERS = ("learning_rate", "batch_size", "epochs")
_BARE_PARAMETER = re.compile(r"((the|an?|my|our) )?(lr|learning|bs|batch|epochs)\b", re.IGNORECASE)
_AFTER_ALONE = {"policy", "neutral", "polite"}
_UNREAD = {"unread", "break"}


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
    place: str = ""


NOTHING_SAID = ParsedRequest(policy=None, values={}, phrases={})
"""What is read of no text."""


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
    plain = text.translate(_PLAIN)
    values: dict[str, Value] = {}
    phrases: dict[str, Phrase] = {}
    questions: list[Question] = []
    for clause in _clauses(plain, forms(spoken_names(tuple(metrics)), names), metrics):
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
    if "others" in phrases and "search" not in values:
        questions.append(Question(text=phrases["others"].text, unread=(phrases["others"].text,)))
    values.pop("others", None), phrases.pop("others", None)
    questions += _of_size(plain, values)
    questions += _of_search(values, phrases)
    policy: Any = values.pop("policy", None)
    questions += contradictions(policy, values, phrases)
    questions += _of_searched(values, phrases)
    return ParsedRequest(policy=policy, values=values, phrases=phrases, questions=tuple(questions))


def _of_size(text: str, values: Mapping[str, Value]) -> Iterator[Question]:
    """Yield a question where a search is to be short or long, and nothing says how short."""
    if (size := _SIZE.search(text)) and values.get("policy") != "off" and not _BUDGETS & values.keys():
        yield Question(text=size[0], unread=(size[0],), advice="say how much: 10 trials, or 1 hour")


def _of_search(values: dict[str, Value], phrases: dict[str, Phrase]) -> Iterator[Question]:
    """Add that a search is asked for where its limits are given; yield a question where the text says otherwise."""
    limits = [
        phrase.text
        for name, phrase in phrases.items()
        if name == "search" or (name != "policy" and _SEARCH.search(phrase.text))
    ]
    search = phrases["search"].text if "search" in phrases else ""
    if listed("bare").match(search) and limits == [search] and not ("policy" in values or values.get("trials", 1) != 1):
        # "batch size 8 or 16" may leave the choice to us, and "lr 1e-4 to 1e-6" may be a decay
        yield Question(text=search, unread=(search,), advice="say one value, or search: tune it between 1 and 2")
    if limits and values.setdefault("policy", "on") == "off":
        yield Question(text=f"{phrases['policy'].text} ... {limits[0]}", setting="policy")
    elif limits:
        phrases.setdefault("policy", Phrase(limits[0], meaning_of("policy", "on")))


def _of_searched(values: Mapping[str, Value], phrases: Mapping[str, Phrase]) -> Iterator[Question]:
    """Yield what may be of each searched parameter, and a parameter that has a value and is searched."""
    searched, limit = str(values.get("search", "")), phrases.get("trial_time_limit_s")
    if "; " in searched and limit and "trials" not in values and _BARE_EACH.fullmatch(limit.text):
        # "tune lr and wd, 2 hours each"
        yield Question(text=limit.text, unread=(limit.text,), advice="say what has it: 2 hours per trial")
    for name in _PARAMETERS:
        if name in values and re.search(rf"(^|; ){name.removesuffix('s')}s?\b", searched):
            said = phrases[name].text
            yield Question(text=f"{said} ... {phrases['search'].text}", unread=(said,))


def _scan(text: str, known: Sequence[Form], metrics: Mapping[str, str]) -> Iterator[_Item]:
    """Read a text from left to right: the longest form that fits, or else one word that is not read."""
    position = 0
    while position < len(text):
        position = space.end() if (space := _SPACE.match(text, position)) else position
        fitting = [(match, form) for form in known if (match := form.match(text, position))]
        if fitting:
            match, form = max(fitting, key=lambda pair: pair[0].end())
            value = _value(form.name, form.value, match, metrics)
            name = form.name if value is not None or form.name not in _READ else "unread"
            if name == "signature" and any(is_of_kind(word, NO_NAME) for word in match["signed"].split()):
                name = "unread"
            item = _Item(name, position, " ".join(match[0].split()), value, form.place)
            metric = metric_named(match, metrics) if name == "target" else None
            yield from (replace(item, name="metric", value=metric), item) if metric else (item,)
        elif match := _BREAK.match(text, position):
            yield _Item("break", position, match[0])
        elif match := _WORD.match(text, position):
            yield _Item("unread", position, match[0])
        position = match.end() if match else len(text)


def _clauses(text: str, known: Sequence[Form], metrics: Mapping[str, str]) -> Iterator[list[_Item]]:
    """Yield what stands between two breaks; one that only describes the task is left out."""
    clause: list[_Item] = []
    label: list[_Item] = []
    amount, before, is_polite, is_searched = "", "", False, False
    plain = [form for form in known if form.name not in {"context", "noun"}]
    for item in itertools.chain(_scan(text, plain, metrics), (_Item("break", len(text), "."),)):
        if item.name != "break" or (clause and clause[-1].place == "clause" and item.text in {":", ","}):
            clause.append(item)
            continue
        is_polite = is_polite or any(one.name == "polite" for one in clause)
        is_asked = item.text == "?" and not is_polite
        is_setting = any(one.value is not None or one.place == "clause" for one in clause)
        said = text[clause[0].start : item.start] if clause else ""
        if is_searched and before in {"and", "&", "also"} and clause and _BARE_PARAMETER.match(clause[0].text):
            # "search lr and batch size 8": a value, or what is searched
            clause[0] = replace(clause[0], name="unread", value=None)
        is_searched = clause[-1].name == "search" if clause else is_searched
        describes = _describes(said, list(_scan(said, known, metrics)))
        clause = [*label, *clause] if is_setting else clause  # "topic: 20 trials" may be of something else
        if clause:
            is_label = item.text == ":" and describes and len(words_of(said)) <= 2  # noqa: PLR2004
            label = [one for one in clause if is_label and one.name == "unread" and one.text.lower() != "note"]
        if is_asked or is_setting or not describes:
            yield [*_in_context(clause, amount, before), *([replace(item, name="unread")] if is_asked else [])]
        for one in clause:
            amount = _amount(one, amount)
        is_end = item.text in {".", "!", "?"}
        clause, before, is_polite = [], item.text.lower(), is_polite and not is_end
        amount = "" if amount == "each" and (is_end or item.text == ";") else amount


def _describes(said: str, items: list[_Item]) -> bool:
    """Return whether a clause is made of words that describe a task."""
    names, words = {item.name for item in items}, words_of(said)
    is_instruction = any(is_of_kind(word, ("instruction",)) for word in words)
    is_sentence = not is_instruction and is_of_kind(said.strip(), ("description",))
    return not names & _UNREAD and (is_sentence or "noun" not in names)


def _in_context(clause: list[_Item], amount: str, before: str) -> Iterator[_Item]:
    """Yield the items of a clause, as unread what a word before it may change.

    ``amount`` is the last one before the clause, and ``before`` the break between.
    """
    last, between, is_alone, is_measured = "", "", False, False
    for item in clause:
        is_unread = (item.place == "only" and len(clause) > 1) or (
            is_alone and item.name not in _AFTER_ALONE and not _KEY.search(item.text)
        )
        # "maximise d1 on the images in /data/a": these may be what it is measured on
        is_unread |= item.name == "train_data" and is_measured
        is_measured |= item.name in {"metric", "target"}
        if item.name in _AMOUNTS:
            is_each = (
                item.name != "epochs" and bool(_BARE_EACH.fullmatch(item.text)) and amount not in {"", "trials", "jobs"}
            )
            is_share = _BARE_SHARE.fullmatch(item.text) and item.name == "gpus_per_trial" and amount != "gpus"
            # "each trial gets 2 GPUs and 30 minutes"
            is_shared = amount == "each" or (before == "and" and amount in _OF_A_TRIAL)
            is_each |= is_shared and item.name in _OF_ALL and not _TOTAL.search(item.text)
            is_unread |= bool(is_each or is_share or (last and _is_rate(last, between, item)))
            amount, last, between = _amount(item, amount), item.name, ""
        else:
            between += f"{item.text} "
        yield replace(item, name="unread", value=None) if is_unread else item
        is_alone = is_alone or item.place == "alone"


def _amount(item: _Item, before: str) -> str:
    """Return what amounts after this one may be of: ``each`` from "each trial gets 5 epochs" to the sentence's end."""
    if before == "each" or (item.name in {*_OF_A_TRIAL, "epochs"} and _EACH_HAS.match(item.text)):
        return "each"
    return item.name if item.name in _AMOUNTS - {"epochs"} else before


def _is_rate(last: str, between: str, item: _Item) -> bool:
    """Return whether two amounts may be one: "20 trials a day", "20 trials running 2 hours"."""
    if last == "trials" and item.name == "time_s" and not _TOTAL.search(item.text):
        return _OF_BOTH.fullmatch(between) is None or item.text.lower().startswith(("a ", "an "))
    return (item.text.lower().startswith(("a ", "an ")) and not between) or _TAKES.search(between) is not None


def _value(name: str, fixed: str, match: re.Match[str], metrics: Mapping[str, str]) -> Value | None:
    """Return what a form says; None where it names no setting, or no value that can be."""
    if name == "metric":
        return metric_named(match, metrics)
    if name == "target" and metric_named(match, metrics) is None:
        return None
    if fixed:
        return fixed if name in {"policy", "warm_start", "sampler"} else float(fixed)
    value = _READ[name](match) if name in _READ else None
    return None if isinstance(value, float) and not math.isfinite(value) else value  # digits that no float holds


def _count(match: re.Match[str]) -> Value | None:
    number = read_number(match["n"]) - (1 if match.groupdict().get("fewer") else 0)
    return number if number >= 1 and number.is_integer() else None


def _limit_each(match: re.Match[str]) -> Value | None:
    # "2 hours and 30 minutes per trial" may be a total and a limit.
    return None if re.search(r"\sand\s", match["n"], re.IGNORECASE) else _limit(match)


def _share(match: re.Match[str]) -> Value | None:
    number = read_number(match["n"])
    return number if 0 < number < 1 or (number >= 1 and number.is_integer()) else None


def _limit(match: re.Match[str]) -> Value | None:
    unit = next((unit for unit in ("hours", "minutes") if match.groupdict().get(unit) is not None), None)
    text = f"{match['n']} {unit}" if unit else match["n"]
    seconds = read_duration_s(text) if is_one_duration(text) else 0
    return seconds if seconds >= 5 else None  # noqa: PLR2004 - "a second" try is no limit


def _searched(match: re.Match[str]) -> Value | None:
    """Return the items of `--search`, by a short name of a skill or as a pattern.

    None where two numbers may be the ends of a range, or all that is to be tried: "lr 1e-5, 1e-3"; and where a log
    scale has no range, or may be that of several.
    """
    text, found = match["n"].lower(), list(listed("tunable").finditer(match["n"]))
    items = []
    for one, end in zip(found, [*(part.start() for part in found[1:]), len(text)], strict=True):
        said = text[one.end() : end]
        numbers = [f"0{number}" if number[0] == "." else number for number in listed("real").findall(said)]
        is_range = bool(re.search(r"\b(?:between|to)\b|\.\.|\d\s?-\s?\d", said))
        is_pair = _PAIR.fullmatch(said) and listed("rate").fullmatch(one[0])
        is_log = "log" in said
        is_of_last = is_log and len(found) > 1 and one is found[-1] and _LOG_LAST.search(said)
        if is_pair or is_of_last or (is_range and len(numbers) != 2) or (is_log and not is_range):  # noqa: PLR2004
            return None
        shown = f"={'..'.join(sorted(numbers, key=float))}" if is_range else f"={{{','.join(numbers)}}}"
        items.append(_short_name(one[0]) + (shown + (":log" if is_log else "") if numbers else ""))
    return "; ".join(items)


_SPOKEN = {"lr": "learning_rate", "b": "batch_size", "bs": "batch_size", "wd": "weight_decay"}


def _short_name(spoken: str) -> str:
    name = re.sub(r"[-_\s]+", "_", spoken.lower()).removesuffix("s")
    return _SPOKEN.get(name, name)


_READ: dict[str, Callable[[re.Match[str]], Value | None]] = {
    **dict.fromkeys(("trials", "gpus", "jobs", "patience_trials", "replicates", "epochs", "batch_size"), _count),
    "time_s": _limit,
    "trial_time_limit_s": _limit_each,
    **dict.fromkeys(("train_data", "val_data"), lambda match: match["n"]),
    **dict.fromkeys(("sampler", "scheduler", "metric"), lambda match: match["n"].lower().replace("cma-es", "cmaes")),
    **dict.fromkeys(("target", "seed"), lambda match: float(match["n"])),
    "learning_rate": lambda match: rate if 0 < (rate := float(match["n"])) <= 1 else None,
    "search": _searched,
    "gpus_per_trial": _share,
    "gpu_hours": lambda match: read_number(match["n"]) or None,
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
    if value == math.inf:
        return "all GPUs of the machine"
    plural = "" if value == 1 else "s"
    words = {"trials": f"trial{plural}", "gpus": f"GPU{plural} in all", "jobs": "at once", "gpu_hours": "GPU hours"}
    words |= {"patience_trials": "trials without improvement", "replicates": f"replicate{plural} of the best"}
    return f"{value:g} {words[name]}" if name in words else f"{name} {value:g}"
