"""Read policy, budget, resources and metric from a request in plain text.

Exact forms are read, and their text is taken out. What is left is a question for the user, unless it is made of words
that can change nothing or describes data: nothing is guessed, and no word that can negate is passed over.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from automl.duration import format_duration
from automl.request.numbers import COUNT, DURATION, WORDS, read_duration_s, read_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from automl.request.policy import Policy

Value = float | str

_SEARCH = (
    r"(?:auto[\s-]?ml|hpo|(?:an?\s+|any\s+|the\s+)?(?:hyper[\s-]?parameters?\s+)?"
    r"(?:search|tuning|optimi[sz]ation|sweep)(?:es|s)?)"
)
_TUNE = r"(?:search|tune|optimi[sz]e)"
_PARAMETERS = r"(?:hyper[\s-]?parameters?|parameters|settings|configurations?|config)"
_IT = r"(?:it|this|that|(?:the|my|our|this)\s+(?:(?:depth|vision)\s+)?(?:model|network)|anything)"
# An exact form of a mode ends its clause: "no HPO budget" and "do not tune the batch size" say something else.
_ENDS = (
    r"(?=[\s\x00]*(?:$|[,;:.!?()\n]|\b(?:and|but|just|please|pls|thanks|thank)\b"
    r"|for\s+(?:this|the)\s+(?:run|time|study|job|model)\b(?!\s+\w)))"
)
# "Train once on my data" still trains once, and "use AutoML with 20 trials" searches.
_GOES_ON = rf"(?:{_ENDS}|(?=[\s\x00]+(?:on|for|with|in|within|using|and)\b|[\s\x00]*\x00))"
_NOT = r"(?:do\s+not|don'?t|never)"
_OFF = (
    r"automl[\s_]policy\s*(?:[:=]|is)?\s*[\"']?off[\"']?",
    rf"(?:turn|switch)\s+off\s+(?:the\s+)?{_SEARCH}|(?:turn|switch)\s+(?:the\s+)?{_SEARCH}\s+off",
    rf"(?:(?:with\s+)?no|disable|skip|without)\s+(?:the\s+)?{_SEARCH}|(?:auto[\s-]?ml|hpo)\s*(?:[:=]|is)?\s*(?:off|disabled)",
    rf"{_NOT}\s+(?:use|do|run|enable|start)\s+{_SEARCH}|skip\s+the\s+loop",
    rf"{_NOT}\s+{_TUNE}(?:\s+(?:for\s+)?(?:the\s+|any\s+)?(?:{_PARAMETERS}|anything|it))?",
    rf"without\s+(?:searching|tuning|optimi[sz]ing)(?:\s+(?:the\s+|any\s+)?{_PARAMETERS}|\s+anything)?",
    rf"(?:an?\s+)?(?:plain|normal|regular|ordinary|standard)\s+training(?:\s+run)?(?:\s+only)?{_GOES_ON}",
    rf"(?:(?:just|only)\s+)?(?:one|(?:a\s+)?single)\s+(?:plain\s+|normal\s+)?(?:train(?:ing)?(?:\s+|-)run|training)(?:\s+only)?{_GOES_ON}",
    rf"(?:just|only)\s+train(?:\s+{_IT})?(?:\s+once)?|train(?:\s+{_IT})?(?:\s+(?:just|only))?\s+once{_GOES_ON}",
)
_ON = (
    r"automl[\s_]policy\s*(?:[:=]|is)?\s*[\"']?on[\"']?|(?:auto[\s-]?ml|hpo)\s*(?:[:=]|is)?\s*(?:on|enabled)",
    rf"(?:turn|switch)\s+on\s+(?:the\s+)?{_SEARCH}|(?:turn|switch)\s+(?:the\s+)?{_SEARCH}\s+on",
    rf"(?:enable|use|run|with|do|start|perform)\s+(?:the\s+)?{_SEARCH}{_GOES_ON}",
    rf"{_TUNE}(?:\s+(?:for|over))?(?:\s+(?:the|its|all|my|our|best|good))*\s+{_PARAMETERS}{_GOES_ON}",
    rf"find(?:\s+(?:me|us|the|good|better|best|possible|optimal))*\s+{_PARAMETERS}{_GOES_ON}",
)
_ENTITY = r"(?:trials?|runs?|experiments?|config(?:uration)?s?|combinations?|evaluations?)"
_UPPER = (
    r"(?:(?:no|not)\s+(?:more|longer)\s+than|at\s+(?:the\s+)?most|up\s+to|max(?:imum|imal(?:ly)?)?(?:\s+of)?|within"
    r"|(?:for|in|on|using|use|with|run|try|do|after|about|around|exactly|have)"
    r"|(?:(?:an?|the)\s+)?(?:(?:time|total|trial)\s+)?(?:budget|limit)(?:\s*[:=]|\s+(?:of|is))?|limit(?:ed)?\s+(?:it\s+)?to"
    rf"|(?:it\s+)?(?:{_NOT}|(?:must|should|may|can)\s*(?:not|n't)|cannot)\s+(?:\w+\s+){{0,2}}?"
    r"(?:(?:more|longer)\s+than|over|exceed)|total\s+of)"
)
_FEWER = r"(?:fewer|less)\s+than|under|below"
_LEAD = rf"(?:(?P<fewer>{_FEWER})\s+|(?:{_UPPER}\s+){{1,3}}(?:(?:a|the)\s+)?)?"
_TAIL = (
    r"(?:\s+(?:or\s+(?:less|fewer)|max(?:imum)?|at\s+(?:the\s+)?most|in\s+total|total|altogether|of\s+budget)(?!\w))?"
)
_EACH = rf"(?:(?:per|for\s+(?:each|every)|each|every|a)\s+{_ENTITY}|each|apiece)"
# "2 hours per GPU" is no limit of the study; "50 trials with a budget of 8 hours" is two.
_BUDGET = r"\s+(?:a\s+|the\s+)?(?:total\s+)?(?:time\s+)?budget"
_PER = r"(?:/|per\b|from\b|an?\s+(?:day|hour|week|night|gpu)|for\s+(?:each|every)\b)"
_RATE = rf"(?!\s*(?:{_PER}|(?:each|apiece|without|of|with)\b(?!{_BUDGET})))"
_AT_ONCE = r"(?:at\s+(?:a|one|the\s+same)\s+time|at\s+once|in\s+parallel|concurrently|simultaneously)"
_MODEL = r"(?:nvidia\s+|tesla\s+)?(?:gb?\d{3}|[ahb][12]?00|a[134]0|l40?s?|v100|t4)s?"
_GPU = rf"(?:{_MODEL}\s+gpus?|gpus?|{_MODEL})"
_MAXIMIZE, _MINIMIZE = ("highest", "largest", "maximize", "maximise"), ("lowest", "smallest", "minimize", "minimise")
_BEST = {
    **dict.fromkeys(("best", "optimize", "optimise", "improve", "metric", "objective"), ""),
    **dict.fromkeys(_MAXIMIZE, "maximize"),
    **dict.fromkeys(_MINIMIZE, "minimize"),
}
"""Word before a metric -> the direction that it means, if any."""
_SPOKEN = {
    "delta 1": "d1",
    "delta 2": "d2",
    "delta 3": "d3",
    "root mean square error": "rmse",
    "root mean squared error": "rmse",
    "absolute relative error": "abs_rel",
    "mean iou": "miou",
    "mean average precision": "map",
}
"""Common name of a metric -> its name in a skill, where the skill has it."""
_HARMLESS_WORDS = """
    a an the and please pls i we you me my our your it its this that these is are be can could will would should want
    wants need needs like let lets let's do does have has make give get with of to for on in at by from using use used
    as all any some
    find search tune tuning tuned hyperparameter hyperparameters parameter parameters hyper optimize optimise
    optimization optimisation sweep train training trained model models network best good better possible value values
    automl hpo job study trial trials thanks thank hi hello budget limit time total run go ahead so machine here now
    today so set setting settings up result results configuration i'd i'll we'd fine-tune finetune
    fine-tuning fine tunes depth anything v2 monocular estimation vision"""
# Data and machines, as people name them, unless one of the words below is among them.
_DATA = r"(?:data(?:set|sets)?|images?|photos?|pictures?|frames?|scenes?|rooms?|videos?|samples?|camera|robot)"
_OBJECT = re.compile(
    r"\b(?:on|for|of|from|with|using|to)\s+(?:(?:(?:my|our|the|this|these|that|your|a|an|some|all)\s+)?"
    rf"(?:(?!(?:and|but|on|for|of|with|{WORDS})\b)[a-z][\w'-]*\s+){{0,3}}{_DATA}"
    r"|(?:my|our|the|this|that|a)\s+(?:machine|workstation|server|laptop|computer|gpus?))\b(?!\s+(?:of|size)\b)",
    re.IGNORECASE,
)
_DESCRIPTION = re.compile(
    rf"\s*(?:they|these|those|(?:(?:the|our|my|this|all|most|some)\s+)?(?:\w+\s+)?{_DATA})\s+(?:{_DATA}\s+)?"
    r"(?:are|is|was|were|shows?|comes?|sees?|contains?)\b",
    re.IGNORECASE,
)
_LIMIT_WORDS = """
    no not none nothing neither nor never n't without w/o instead rather except unless only just once single plain
    normal simple simply merely skip disable disabled off stop avoid cancel ignore exclude drop leave less fewer more
    least most than before until after maybe perhaps if when enough against default defaults fixed first last other
    others several few many both half each every directly already later cannot either or whether though however but
    don't doesn't didn't won't wouldn't shouldn't can't isn't aren't needn't small smaller large larger big full
    test validation val held-out subset"""
_HARMLESS, _LIMITS = (frozenset(words.replace("'", "").split()) for words in (_HARMLESS_WORDS, _LIMIT_WORDS))
# Made of harmless words alone: all but a search, training as it is set, "let AutoML go".
_IDIOMS = re.compile(
    r"\b(?:(?:all|any\w*|every\w*|no\w*)\s+but|as\s+(?:(?:it|they|these|those)\s+)?(?:is|are)"
    rf"|(?:with|using|use)\s+(?:my|our|your|its|these|those|this|that|the\s+set)\s+(?:(?:best|good)\s+)?(?:hyper\s+)?{_PARAMETERS}"
    r"|(?:let(?:'?s)?\s[^,;.]*\b|get\s[^,;.]*\bto\s+)go(?!\s+ahead)|all\s+(?:we|i|you)\s+(?:need|want)"
    r"|gpus?\s[^,;.]*\b(?:hours?|hrs?|minutes?|mins?|h)\s+each)\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"(?:\b(?:and|but)\b)?((?:(?!\b(?:and|but)\b|[,;:!?()\n]|\.(?:\s|$)).)+)", re.IGNORECASE)
_LONGEST = 4000
_MODES = re.compile(
    r"(?i)\b(?:auto[\s-]?ml|hpo|search\w*|such\w+|tun(?:e|es|ed|ing)\b|hyper\w*|sweep\w*|optimi\w+|train\w*|fine-?tun\w*"
    r"|entra[îi]n\w*|entren\w*|addestr\w*|treina\w*|recherch\w*|b[uú]squeda\w*|ricerca\w*|trials?|polic\w+)"
)
_NUMBERS = re.compile(
    rf"(?i)\d|\b(?:{WORDS}|few|several|many|couple|dozens?|hundreds?|thousands?"
    r"|hours?|hrs?|minutes?|mins?|seconds?|days?|weeks?|weekend|overnight|tonight|night|morning|epochs?|steps?|iterations?"
    r"|gpus?|cpus?|cores?|nodes?|patience|seeds?|target|sampler|scheduler|lr|learning|rate|batch|resolution|decay"
    r"|optimi[sz]ers?|adamw?|sgd|schedules?|dropout|stopping|range|between|budget|limit|deadline|memory|workers?|parallel"
    r"|encoders?|backbones?|precision|bf16|fp16|fp32|size|algorithm|container|docker|checkpoint|weights?)\b"
)


@dataclass(frozen=True, slots=True)
class Phrase:
    """A part of the text and what it was read as."""

    text: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRequest:
    """The result of reading a request.

    Attributes:
        policy: What the text says about searching; None where it says nothing.
        values: Setting -> number, or text for metric, sampler and scheduler.
        phrases: Setting, or ``policy`` -> the text behind the value.
        policy_questions: Parts that may ask for a search or against one.
        value_questions: Parts that may be a setting and are not read.
        remarks: The rest that is not understood; no setting can be in it.
    """

    policy: Policy | None
    values: Mapping[str, Value]
    phrases: Mapping[str, Phrase]
    policy_questions: tuple[str, ...] = ()
    value_questions: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def parse_request(text: str, *, metrics: Mapping[str, str], known_words: frozenset[str] = frozenset()) -> ParsedRequest:
    """Read a request.

    Args:
        text: The user's text.
        metrics: Name -> direction of the metrics that the skill's registry knows.
        known_words: Words that name the skill, and are no setting.
    """
    if len(text) > _LONGEST:
        said = f"{text[:40]}... ({len(text)} characters, {_LONGEST} at most)"
        return ParsedRequest(policy=None, values={}, phrases={}, value_questions=(said,))
    plain = text.replace("\u2019", "'").replace("\u2013", "-").replace("\u2014", ", ")
    parser = _Parser(re.sub(r"[^\S\n]+", " ", plain).strip())
    for form in _OFF:
        parser.take("policy", _mode(form), lambda _: "off")
    parser.take_metric(metrics)
    for name, pattern, read in _PATTERNS:
        parser.take(name, pattern, read)
    for form in _ON:
        parser.take("policy", _mode(form), lambda _: "on")
    return parser.result(known_words)


class _Parser:
    """A request that is being read: matched text is replaced by NUL characters, so that nothing is matched twice."""

    def __init__(self, text: str) -> None:
        self._text = self._left = text
        self._values: dict[str, Value] = {}
        self._phrases: dict[str, Phrase] = {}
        self._policy_questions: list[str] = []
        self._value_questions: list[str] = []

    def take(self, name: str, pattern: re.Pattern[str], read: Callable[[re.Match[str]], Value | None]) -> None:
        """Read every match of a pattern; one that is no value, or differs from an earlier one, is a question."""
        for match in list(pattern.finditer(self._left)):
            self._left = self._left[: match.start()] + "\x00" * len(match[0]) + self._left[match.end() :]
            words, value = " ".join(match[0].split()), read(match)
            before = self._values.setdefault(name, value) if value is not None else None
            questions = self._policy_questions if name == "policy" else self._value_questions
            if value is None:
                questions.append(words)
            elif before != value:
                questions.append(f"{self._phrases[name].text} ... {words}")
            else:
                self._phrases.setdefault(name, Phrase(words, meaning_of(name, value)))

    def take_metric(self, metrics: Mapping[str, str]) -> None:
        """Read the objective: a metric after a word such as "best" or "lowest"."""

        def read(match: re.Match[str]) -> str | None:
            name = _metric_named(match["metric"], metrics)
            if match["val"] and name.startswith(("test", "train")):
                return None
            return name if _BEST[match["how"].lower()] in {"", metrics[name]} else None

        self.take("metric", _metric_pattern(metrics), read)
        if "metric" in self._phrases:
            name = str(self._values["metric"])
            self._phrases["metric"] = Phrase(self._phrases["metric"].text, f"{metrics[name]} {name}")

    def result(self, known_words: frozenset[str]) -> ParsedRequest:
        remarks = list(self._sort(_HARMLESS | known_words))
        parsed = ParsedRequest(
            policy=self._values.pop("policy", None),  # type: ignore[arg-type] # the patterns give on and off
            values=self._values,
            phrases=self._phrases,
            policy_questions=tuple(dict.fromkeys(self._policy_questions)),
            value_questions=tuple(dict.fromkeys(self._value_questions)),
            remarks=tuple(dict.fromkeys(remarks)),
        )
        return replace(parsed, policy_questions=(*parsed.policy_questions, *contradicts(parsed)))

    def _sort(self, harmless: frozenset[str]) -> Iterator[str]:
        """Sort what is left into questions, and descriptions that are yielded."""
        is_about_search = _MODES.search(self._text) is not None
        if (is_about_search and "?" in self._text) or _IDIOMS.search(self._text):
            self._policy_questions.append(self._text)
        for clause in _CLAUSE.finditer(self._left):
            said, is_whole = self._text[clause.start(1) : clause.end(1)].strip(), "\x00" not in clause[1]
            left = _OBJECT.sub(lambda m: m[0] if _words(m[0]) & _LIMITS else " ", clause[1].replace("\x00", " "))
            words = _words(left) - harmless
            is_limit, is_setting = bool(words & _LIMITS), _NUMBERS.search(" ".join(words))
            is_mode = _MODES.search(said) or (is_limit and is_about_search) or not said.isascii()
            if not words:
                continue
            if is_whole and _DESCRIPTION.match(said) and not (is_setting or is_mode or is_limit):
                yield said
            elif is_mode and not is_setting:
                self._policy_questions.append(said)
            else:
                self._value_questions.append(said)


def contradicts(parsed: ParsedRequest) -> tuple[str, ...]:
    """Return what speaks of a search where one training is asked for."""
    about_search = {"trials", "jobs", "sampler", "scheduler"} & set(parsed.values)
    if parsed.policy != "off" or all(parsed.values[name] == 1 for name in about_search):
        return ()
    return tuple(f"{parsed.phrases['policy'].text} ... {parsed.phrases[name].text}" for name in sorted(about_search))


def limits(text: str) -> bool:
    """Return whether a text has a word that can negate or limit."""
    return bool(_words(text) & _LIMITS)


def mentions_search(text: str) -> bool:
    """Return whether a text speaks of searching or training."""
    return _MODES.search(text) is not None


def names_setting(text: str) -> bool:
    """Return whether a text has a number, or the name of a setting."""
    return _NUMBERS.search(text) is not None


def _words(text: str) -> set[str]:
    return {word.replace("'", "").strip('."`-_').lower() for word in re.findall(r"[^\s\x00,;:!?()]+", text)} - {""}


def _count(match: re.Match[str]) -> Value | None:
    number = read_number(match["n"]) - (1 if match.groupdict().get("fewer") else 0)
    return number if number >= 1 and number == int(number) else None


def _share(match: re.Match[str]) -> Value | None:
    number = read_number(match["n"])
    return number if 0 < number < 1 or number == int(number) >= 1 else None


def _limit(match: re.Match[str]) -> Value | None:
    seconds = read_duration_s(match["n"])
    return seconds if seconds >= 5 else None  # noqa: PLR2004 - "a second" try is no limit


def _hours(match: re.Match[str]) -> Value | None:
    return read_number(match["n"]) or None


_N, _T, _NAME = f"(?P<n>{COUNT})", f"(?P<n>{DURATION})", r"(?P<n>\w+)"
# "No GPU limit" and "use the CPU time" do not ask for training on the CPU.
_CPU = (
    r"(?:(?:only\s+)?(?:on|use|using)\s+(?:the\s+)?cpu(?:\s+only)?|(?:no|without(?:\s+an?y?)?)\s+gpus?)"
    r"(?!\s+(?!(?:and|but|for|in|on|with|please|pls)\b)\w)|cpu[\s-]only"
)
_MORE = r"(?:(?:more|further|different|training|hpo|automl|search)\s+)?"
_FORMS: tuple[tuple[str, str, Callable[[re.Match[str]], Value | None]], ...] = (
    ("gpu_hours", rf"{_LEAD}{_N}[\s-]*gpu[\s-]*(?:hours?|hrs?|h){_RATE}", _hours),
    ("trial_time_limit_s", rf"{_LEAD}{_T}\s+{_EACH}", _limit),
    ("gpus_per_trial", rf"{_LEAD}(?:a\s+)?{_N}[\s-]*{_GPU}\s+{_EACH}", _share),
    ("gpus_per_trial", _CPU, lambda _: 0.0),
    ("gpus", rf"{_LEAD}{_N}[\s-]*(?:x\s*)?{_GPU}{_RATE}", _count),
    ("gpus", rf"(?:number\s+of\s+)?gpus\s*[:=]\s*{_N}", _count),
    ("gpus", rf"{_LEAD}(?:a\s+)?single\s+{_GPU}", lambda _: 1.0),
    ("jobs", rf"{_LEAD}{_N}\s+(?:{_ENTITY}\s+)?{_AT_ONCE}", _count),
    ("jobs", rf"{_LEAD}{_N}\s+(?:parallel|concurrent)\s+(?:{_ENTITY}|jobs?)", _count),
    ("jobs", r"one\s+(?:after|by)\s+(?:the\s+other|another|one)|sequentially", lambda _: 1.0),
    ("trials", rf"{_LEAD}{_N}[\s-]*{_MORE}{_ENTITY}{_RATE}", _count),
    ("trials", rf"(?:number\s+of\s+)?trials\s*(?:[:=]|is|of)\s*{_N}", _count),
    ("time_s", rf"{_LEAD}{_T}{_RATE}", _limit),
    ("seed", r"(?:with\s+|use\s+)?(?:random\s+)?seed\s*(?:[:=]|of)?\s*(?P<n>\d+)", lambda match: float(match["n"])),
    ("sampler", rf"sampler\s*[:=]\s*{_NAME}", lambda match: match["n"].lower()),
    ("sampler", rf"(?:with|use|using)\s+the\s+{_NAME}\s+sampler", lambda match: match["n"].lower()),
    ("scheduler", rf"scheduler\s*[:=]\s*{_NAME}", lambda match: match["n"].lower()),
    ("scheduler", rf"(?:with|use|using)\s+the\s+{_NAME}\s+scheduler", lambda match: match["n"].lower()),
)
_PATTERNS = tuple(
    (name, re.compile(rf"(?<![\w.,/-])(?:{form}){_TAIL}(?![\w/]|[.,]\d)", re.IGNORECASE), read)
    for name, form, read in _FORMS
)


def _mode(form: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{form}){'' if _GOES_ON in form else _ENDS}", re.IGNORECASE)


def meaning_of(name: str, value: Value) -> str:
    """Return what a value means, in words."""
    if isinstance(value, str):
        return {"on": "search", "off": "train once"}.get(value, f"{name} {value}")
    if name in {"time_s", "trial_time_limit_s"}:
        return f"a time limit of {format_duration(value)}" + ("" if name == "time_s" else " for each trial")
    if name == "gpus_per_trial":
        return f"{value:g} GPUs for each trial" if value else "training on the CPU"
    plural = "" if value == 1 else "s"
    words = {"trials": f"trial{plural}", "gpus": f"GPU{plural} in all", "jobs": "at once", "gpu_hours": "GPU hours"}
    return f"{value:g} {words[name]}" if name in words else f"{name} {value:g}"


def _metric_pattern(metrics: Mapping[str, str]) -> re.Pattern[str]:
    tails = {_tail(name) for name in metrics} | set(metrics)
    tails |= {spoken for spoken, name in _SPOKEN.items() if name in {tail.lower() for tail in tails}}
    spelt = sorted(
        (re.sub(r"\\?[/_\s-]", r"[/_\\s-]*", re.escape(name)) for name in tails if name), key=len, reverse=True
    )
    how = "|".join(sorted(_BEST, key=len, reverse=True))
    gap = r"(?:\s+(?:the|its|for|is|on|(?P<val>val(?:idation)?)|value|values|of|possible|score))*[\s:=]+"
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
