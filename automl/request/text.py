"""Parse budget, resources and metric from a request in plain text; `automl.request.policy` parses whether to search.

Patterns are tried in order, the most specific first, and text that one pattern has matched is not matched again.
Nothing is guessed: text that is not understood is returned as it was written, so that the plan can show it.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from automl.duration import format_duration
from automl.request.numbers import COUNT, DURATION, read_duration_s, read_number
from automl.request.policy import find_off_phrase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Field = Literal["trials", "time_s", "gpu_hours", "jobs", "gpus", "gpus_per_trial", "trial_time_limit_s", "metric"]

_ENTITY = r"(?:trials?|runs?|experiments?|config(?:uration)?s?|combinations?|tries|attempts?|evaluations?|trainings?)"
# Text before a number that negates it or gives it another meaning.
_OTHER = re.compile(
    r"\b(?:not|don'?t|never|instead\s+of|rather\s+than|without|top|first|last|best|earlier|previous|every)\s+$",
    re.IGNORECASE,
)
_UNLIMITED = re.compile(r"\b(?:no|without(?:\s+an?y?)?)\s+(?:\w+\s+)?limits?\b|\bunlimited(?:\s+\w+)?", re.IGNORECASE)
_NODES = re.compile(
    rf"(?<![\w.,/-])(?:on\s+|using\s+|use\s+)?{COUNT}\s+(?:nodes?|machines?|servers?|hosts?)\b"
    rf"(?:\s+(?:with|of|having|at)\s+{COUNT}[\s-]*(?:\w+\s+){{0,2}}gpus?(?:\s+(?:each|apiece|per\s+\w+))?)?",
    re.IGNORECASE,
)
_SHORTEST_S = 5.0
_UPPER = (
    r"(?:(?:\w*n'?t|not|never)\s+(?:\w+\s+){0,3}?(?:(?:more|longer)\s+than|over|above|exceed(?:ing)?)|(?:no|not)\s+(?:more|longer)\s+than|(?:no|not)\s+(?:over|above)|never\s+more\s+than|at\s+(?:the\s+)?most|up\s+to"
    r"|(?:a\s+)?max(?:imum|imal(?:ly)?)?(?:\s+of)?|within|under|below|less\s+than|fewer\s+than|limit(?:ed)?\s+(?:to|of|is)"
    r"|budget\s+(?:of|is)|in|for|about|around|roughly|using|use|with|only|just|exactly|on|try|run|do|have|got)"
)
_LOWER = r"(?:at\s+least|no\s+less\s+than|not\s+less\s+than|no\s+fewer\s+than|more\s+than|over|minimum(?:\s+of)?)"
_LEAD = rf"(?:(?P<lower>{_LOWER})\s+|(?P<upper>(?:{_UPPER}\s+)+))?"
_RANGE = rf"(?:between\s+{COUNT}\s+and\s+|\d+\s*-\s*(?=\d)|{COUNT}\s+(?:to|or)\s+)?"
_MODEL = r"(?:gb?\d{3}|[ahb][12]?00|a[134]0|l40?s?|v100|t4|rtx(?:\s+\w*\d{4})?)"
_KIND = rf"(?:(?:nvidia|tesla|x|{_MODEL})\s+)*"
_TAIL = r"(?:\s+(?:or\s+(?:less|fewer|so)|max(?:imum)?|at\s+(?:the\s+)?most|tops)(?![\w]))?"
_EACH = rf"(?:(?:per|for\s+(?:each|every)|each|every|a)\s+(?:single\s+)?{_ENTITY}|each|apiece)"
# "2 hours per GPU" is no limit of the study.
_NO_RATE = r"(?!\s*(?:/|per\b|for\s+(?:each|every)\b|(?:each|apiece)\b))"
_AT_ONCE = (
    r"(?:at\s+(?:a|one)\s+time|at\s+once|at\s+the\s+same\s+time|in\s+parallel|parallel|concurrently|simultaneously)"
)
_BEST: dict[str, str | None] = {
    **dict.fromkeys(("best", "good", "optimize", "optimise", "improve", "metric", "objective", "by")),
    **dict.fromkeys(("highest", "largest", "maximize", "maximise", "maximum"), "maximize"),
    **dict.fromkeys(("lowest", "smallest", "minimize", "minimise", "minimum", "least"), "minimize"),
}
"""Word before a metric -> the direction that it means, if any."""
_SPOKEN = {
    "delta 1": "d1",
    "delta 2": "d2",
    "delta 3": "d3",
    "root mean square error": "rmse",
    "root mean squared error": "rmse",
    "absolute relative error": "abs_rel",
    "relative error": "abs_rel",
    "mean iou": "miou",
    "mean average precision": "map",
}
"""Common name of a metric -> its name in a skill, where the skill has it."""
_FILLER_WORDS = """a an the and or but then so please i we you me my our your it its this that these those is
    are be can could will would should want wants need needs like let lets make give get with without of to
    for on in at by from using use used as all any some more most only just try run runs do not no than up
    about around roughly find search tune tuning tuned hyperparameter hyperparameters parameter parameters
    hyper optimize optimise optimization optimisation train training trained model models network best good
    better possible value values automl hpo job study trial trials thanks experiment thank hi hello budget
    limit limited max maximum minimum spend takes take time total overall altogether go ahead work machine
    here now today first let's single each every per when done stop after before end finish must stopping i'd
    i'll we'd don't dont fine-tune finetune fine-tuning enough pls number
    approx approximately ~ @ w/ longer result results set up setting settings which what how have has"""
_FILLER = frozenset(_FILLER_WORDS.split())
_SHORT = 3
_UNDERSTOOD = ("trials", "experiments", "hours", "minutes", "gpus", "twenty", "thirty", "forty", "fifty", "parallel")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A part of the text and what it was parsed as."""

    text: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRequest:
    """The result of parsing a request.

    Attributes:
        values: Field -> number, or text for the metric.
        phrases: Field -> the text behind the value, in order.
        not_understood: Text that is left and may be meant as a setting, as written.
    """

    values: Mapping[Field, float | str] = field(default_factory=dict)
    phrases: Mapping[Field, Phrase] = field(default_factory=dict)
    not_understood: tuple[str, ...] = ()


def parse_request(text: str, *, metrics: Mapping[str, str], known_words: frozenset[str] = frozenset()) -> ParsedRequest:
    """Parse a request.

    Args:
        text: The user's text.
        metrics: Name -> direction of the metrics that the skill's registry knows.
        known_words: Words that name the skill, and are no setting.
    """
    parser = _Parser(" ".join(text.replace("\u2019", "'").replace("\u2013", "-").replace("\u2014", ", ").split()))
    off = find_off_phrase(parser.text)
    if off is not None:
        parser.blank(re.search(re.escape(off).replace(r"\ ", r"[\s\W_]+"), parser.text, re.IGNORECASE))
    parser.refuse(_NODES, "nodes are those of --ray-address, or of `automl cluster`")
    for name, pattern, read in _PATTERNS:
        parser.take(name, pattern, read)
    parser.refuse(_UNLIMITED, "say a limit, or leave it out")
    parser.take_metric(metrics)
    return parser.result(known_words)


class _Parser:
    """A request that is being parsed: matched text is blanked, so that nothing is matched twice."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._left = text
        self._values: dict[Field, float | str] = {}
        self._phrases: dict[Field, Phrase] = {}
        self._refused: list[str] = []

    def blank(self, match: re.Match[str] | None) -> None:
        if match is not None:
            self._left = self._left[: match.start()] + "\x00" * len(match[0]) + self._left[match.end() :]

    def take(self, name: Field, pattern: re.Pattern[str], read: Callable[[re.Match[str]], float | str]) -> None:
        """Parse every match of a pattern; the first one sets the value, a later one that differs is refused."""
        for match in list(pattern.finditer(self._left)):
            words = " ".join(match[0].split())
            try:
                outcome = read(match)
            except ValueError:
                outcome = "no number"
            if (before := _OTHER.search(self._left[: match.start()])) is not None:
                outcome, words = "not a limit", f"{before[0].strip()} {words}"
            self.blank(match)
            if isinstance(outcome, str):
                self._refused.append(f"{words} ({outcome})")
            elif name in self._values and self._values[name] != outcome:
                self._refused.append(f"{words} (contradicts {self._phrases[name].text})")
            else:
                self._values[name] = outcome
                self._phrases[name] = Phrase(words, _MEANINGS[name](outcome))

    def refuse(self, pattern: re.Pattern[str], reason: str) -> None:
        for match in list(pattern.finditer(self._left)):
            self.blank(match)
            self._refused.append(f"{match[0]} ({reason})")

    def take_metric(self, metrics: Mapping[str, str]) -> None:
        """Parse the objective: a metric after a word such as "best" or "lowest"."""
        for match in list(_metric_pattern(metrics).finditer(self._left)):
            name = _metric_named(match["metric"], metrics)
            words, wanted = " ".join(match[0].split()), _BEST[match["how"].lower()]
            before = _OTHER.search(self._left[: match.start()])
            self.blank(match)
            if before is not None:
                self._refused.append(f"{before[0].strip()} {words} (negated)")
            elif "metric" in self._values:
                self._refused.append(f"{words} (the primary metric is {self._values['metric']} already)")
            else:
                if wanted not in {None, metrics[name]}:
                    self._refused.append(f"{words} ({metrics[name]} is right for {name}; --direction says otherwise)")
                self._values["metric"] = name
                self._phrases["metric"] = Phrase(words, f"{metrics[name]} {name}")

    def result(self, known_words: frozenset[str]) -> ParsedRequest:
        left = tuple(dict.fromkeys([*self._refused, *self._rest(known_words)]))
        return ParsedRequest(values=self._values, phrases=self._phrases, not_understood=left)

    def _rest(self, known_words: frozenset[str]) -> Iterator[str]:
        for clause in re.split(r"\x00+|[,;:!?()]|\.(?:\s|$)|\b(?:and|but|then)\b", self._left):
            words = clause.strip(" .'\"\t").split()
            while words and words[0].lower() in _FILLER:
                words.pop(0)
            while words and words[-1].lower() in _FILLER and not any(map(str.isdigit, " ".join(words))):
                words.pop()
            if any(word.lower().strip(".'\"-") not in _FILLER | known_words for word in words):
                yield " ".join(words) + _hint(words)


def _hint(words: list[str]) -> str:
    for word in (word.lower().strip(".'\"-") for word in words):
        close = difflib.get_close_matches(word, _UNDERSTOOD, n=1, cutoff=0.75) if len(word) > _SHORT else []
        if close and close[0].removesuffix("s") != word.removesuffix("s"):
            return f' (did you mean "{close[0]}"?)'
    return ""


def _count(match: re.Match[str]) -> float | str:
    """Return a whole number of at least 1, or why it is none."""
    said = match.groupdict()
    number = read_number(match["n"])
    lead = " ".join((said.get("lower") or said.get("upper") or "").lower().split())
    number += {"more than": 1, "over": 1, "fewer than": -1, "less than": -1, "under": -1, "below": -1}.get(lead, 0)
    return number if number >= 1 and number == int(number) else "a whole number of at least 1 is needed"


def _share(match: re.Match[str]) -> float | str:
    number = read_number(match["n"])
    is_whole = number >= 1 and number == int(number)
    return number if is_whole or 0 < number < 1 else "a whole number, or a part of one GPU, is needed"


def _limit(match: re.Match[str]) -> float | str:
    if match["lower"]:
        return "a lower bound of a time cannot be kept"
    seconds = read_duration_s(match["n"])
    return seconds if seconds >= _SHORTEST_S else "too short to be meant"


def _hours(match: re.Match[str]) -> float | str:
    hours = read_number(match["n"])
    return hours if hours > 0 and not match["lower"] else "an upper bound is needed"


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.,/-])(?:{pattern}){_TAIL}(?![\w/]|[.,]\d)", re.IGNORECASE)


_PATTERNS: tuple[tuple[Field, re.Pattern[str], Callable[[re.Match[str]], float | str]], ...] = (
    ("gpu_hours", _compiled(rf"{_LEAD}(?P<n>{COUNT})[\s-]*gpu[\s-]*(?:hours?|hrs?|h){_NO_RATE}"), _hours),
    ("trial_time_limit_s", _compiled(rf"{_LEAD}(?P<n>{DURATION})\s+{_EACH}"), _limit),
    (
        "trial_time_limit_s",
        _compiled(rf"(?:each|every)\s+{_ENTITY}\s+(?:\w+\s+){{0,2}}?{_LEAD}(?P<n>{DURATION})"),
        _limit,
    ),
    ("gpus_per_trial", _compiled(rf"{_LEAD}(?P<n>{COUNT})[\s-]*{_KIND}gpus?[\s-]+{_EACH}"), _share),
    ("gpus_per_trial", _compiled(r"(?:cpu\s+only|only\s+(?:on\s+)?(?:the\s+)?cpu|(?:on|use|using)\s+(?:the\s+|a\s+)?cpu"
                                 r"|(?:no|without(?:\s+any|\s+a)?)\s+gpus?)"), lambda _: 0.0),
    (
        "gpus",
        _compiled(rf"{_LEAD}{_RANGE}(?P<n>{COUNT})(?:[\s-]*{_KIND}gpus?|(?:\s*x\s*|\s+){_KIND}{_MODEL}s?)(?!\s+per\b|[\s-]*h(?:ou)?rs?\b)"),
        _count,
    ),
    ("jobs", _compiled(rf"{_LEAD}(?P<n>{COUNT})[\s-]*(?:{_ENTITY}\s+)?{_AT_ONCE}(?:\s+{_ENTITY})?"), _count),
    (
        "jobs",
        _compiled(rf"{_LEAD}(?P<n>{COUNT})[\s-]*(?:(?:parallel|concurrent|simultaneous)\s+{_ENTITY}|jobs?)"),
        _count,
    ),
    ("jobs", _compiled(r"one\s+(?:after|by)\s+(?:the\s+other|another|one)|sequentially|in\s+sequence"), lambda _: 1.0),
    ("trials", _compiled(r"(?:number\s+of\s+)?trials?\s*[:=]\s*(?P<n>\d+)"), _count),
    ("trials", _compiled(r"number\s+of\s+trials\s+(?:of|is)\s+(?P<n>\d+)"), _count),
    ("gpus", _compiled(r"(?:number\s+of\s+)?gpus\s*[:=]\s*(?P<n>\d+)"), _count),
    ("jobs", _compiled(r"jobs\s*[:=]\s*(?P<n>\d+)"), _count),
    (
        "trials",
        _compiled(rf"{_LEAD}{_RANGE}(?P<n>{COUNT})[\s-]*(?:(?:more|further|different|training|hpo|automl)\s+)*{_ENTITY}{_NO_RATE}(?!\s+(?:each|per|on\s+each|with))"),
        _count,
    ),
    ("time_s", _compiled(rf"{_LEAD}{_RANGE}(?P<n>{DURATION}){_NO_RATE}"), _limit),
)  # fmt: skip

_MEANINGS: Mapping[Field, Callable[[float], str]] = {
    "trials": lambda n: f"{n:g} trial{'' if n == 1 else 's'}",
    "time_s": lambda s: f"a time limit of {format_duration(s)}",
    "gpu_hours": lambda h: f"{h:g} GPU hours",
    "jobs": lambda n: f"{n:g} at once",
    "gpus": lambda n: f"{n:g} GPU{'' if n == 1 else 's'} in all",
    "gpus_per_trial": lambda n: f"{n:g} GPUs for each trial" if n else "training on the CPU",
    "trial_time_limit_s": lambda s: f"a limit of {format_duration(s)} for each trial",
}


def _metric_pattern(metrics: Mapping[str, str]) -> re.Pattern[str]:
    tails = {_tail(name) for name in metrics} | set(metrics)
    tails |= {spoken for spoken, name in _SPOKEN.items() if name in {tail.lower() for tail in tails}}
    spelt = sorted(
        (re.sub(r"\\?[/_\s-]", r"[/_\\s-]*", re.escape(name)) for name in tails if name), key=len, reverse=True
    )
    how = "|".join(sorted(_BEST, key=len, reverse=True))
    gap = r"(?:\s+(?:the|its|for|is|on|val(?:idation)?|test|value|values|of|possible|score))*[\s:=]+"
    return re.compile(rf"\b(?P<how>{how}){gap}(?P<metric>{'|'.join(spelt) or '(?!)'})(?![\w/])", re.IGNORECASE)


def _metric_named(words: str, metrics: Mapping[str, str]) -> str:
    """Return the full name: the validation's where the words leave it open."""
    wanted = {_plain(spoken): _plain(name) for spoken, name in _SPOKEN.items()}.get(_plain(words), _plain(words))
    fitting = [name for name in metrics if wanted in {_plain(name), _plain(_tail(name))}]
    exact = [name for name in fitting if _plain(name) == wanted and name != _tail(name)]
    of_validation = [name for name in fitting if name.lower().startswith("val")]
    return next(iter([*exact, *of_validation, *fitting]))


def _tail(name: str) -> str:
    """Return a metric's name without the split it is measured on."""
    return re.sub(r"^(?:val|test|train)[/_]", "", name)


def _plain(name: str) -> str:
    return re.sub(r"[\s/_-]+", "", name.lower())


def share_gpus(gpus: float, *, jobs: float | None, gpus_per_trial: float | None) -> tuple[int | None, float | None]:
    """Share GPUs among trials: return trials at once and GPUs of each; None for what the user leaves open."""
    if jobs is not None:
        return int(jobs), gpus_per_trial if gpus_per_trial is not None else max(1.0, math.floor(gpus / jobs))
    each = gpus_per_trial or 1.0
    return max(1, int(gpus / each)), each
