"""What a language model has read in a request: its schema, the rules it is held to, and how it joins the plain reading.

The model may say what is meant where the plain reading asks. It never changes what is read plainly, quotes the words of
each value, answers no question about words that it does not quote, and none about a search that English words limit or
negate: that only the user decides. Nothing is asked here; see
`automl.cli.request_reading`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from automl.request.counts import MOST
from automl.request.questions import Phrase, Question, contradictions, words_of
from automl.request.text import meaning_of
from automl.schema_problems import problems_by

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automl.request.text import ParsedRequest

_COUNT, _AMOUNT = {"type": "integer", "minimum": 1}, {"type": "number", "exclusiveMinimum": 0}
_TEXT = {"type": "string", "minLength": 1}
VALUES: dict[str, dict[str, Any]] = {
    "policy": {"enum": ["on", "off"]},
    "trials": {**_COUNT, "maximum": MOST["trials"]},
    "gpus": {**_COUNT, "maximum": MOST["jobs"]},
    **{name: {**_COUNT, "maximum": MOST[name]} for name in ("jobs", "patience_trials", "replicates")},
    "target": {"type": "number"},
    **dict.fromkeys(("time_s", "trial_time_limit_s", "gpu_hours"), _AMOUNT),
    "gpus_per_trial": {"type": "number", "minimum": 0, "maximum": MOST["gpus_per_trial"]},
    "seed": {"type": "integer", "minimum": 0, "maximum": MOST["seed"]},
    **dict.fromkeys(("metric", "sampler", "scheduler"), _TEXT),
}
"""Setting -> the schema of its value."""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["readings"],
    "additionalProperties": False,
    "properties": {
        "readings": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["setting", "value", "words"],
                "additionalProperties": False,
                "properties": {"setting": {"enum": list(VALUES)}, "value": {}, "words": _TEXT},
            },
        }
    },
}
"""The schema of an answer."""
_DURATIONS = {"time_s", "trial_time_limit_s"}
_UNITS_S = (1, 60, 3600, 86400, 604800)


def check_reading(
    document: Any,  # noqa: ANN401 - what a model has answered
    text: str,
    parsed: ParsedRequest,
    metrics: Mapping[str, str],
) -> list[str]:
    """Return what is wrong with an answer, as sentences; empty where it can be used."""
    found = problems_by(SCHEMA, document, where="the answer", source="the schema")
    if found:
        return [f"{problem.where} has {problem.found}, not {problem.expected}" for problem in found]
    said = [sentence for reading in document["readings"] for sentence in _check(reading, text, parsed, metrics)]
    values: dict[str, Any] = {}
    pairs = [(reading["setting"], reading["value"]) for reading in document["readings"]]
    return said + [f"{name} has two values" for name, value in pairs if values.setdefault(name, value) != value]


def _check(reading: dict[str, Any], text: str, parsed: ParsedRequest, metrics: Mapping[str, str]) -> list[str]:
    name, value, words = reading["setting"], reading["value"], reading["words"]
    wrong = problems_by(VALUES[name], value, where=name, source="the schema")
    if wrong:
        return [f"{name} is {wrong[0].found}, not {wrong[0].expected}"]
    said = []
    if _plain(words) not in _plain(text):
        said.append(f'"{words}" is not in the request')
    plain = parsed.policy if name == "policy" else parsed.values.get(name)
    if plain is not None and plain != value:
        said.append(f'{name} is plainly {plain} in the request ("{parsed.phrases[name].text}"), not {value}')
    if plain is None and not any(_plain(words) in _plain(question.text) for question in parsed.questions):
        said.append(f'"{words}" leaves no question about {name}')
    if name == "metric" and value not in metrics:
        said.append(f"{value} is no metric of the skill: {', '.join(metrics)}")
    numbers = [float(number.replace(",", ".")) for number in re.findall(r"\d+(?:[.,]\d+)?", words)]
    if numbers and not isinstance(value, str) and not _agrees(name, float(value), numbers):
        said.append(f'{name} {value} is not what "{words}" says')
    return said


def _agrees(name: str, value: float, numbers: Sequence[float]) -> bool:
    """Return whether a value can be what the digits say; durations of several parts cannot be checked so simply."""
    factors = _UNITS_S if name in _DURATIONS else (1, 1000)
    return len(numbers) > 1 or any(abs(value - numbers[0] * factor) < 1e-6 * value + 1e-9 for factor in factors)


def join_reading(parsed: ParsedRequest, reading: Mapping[str, Any]) -> ParsedRequest:
    """Return the plain reading with a checked answer, and the questions that it leaves."""
    readings, by = reading["readings"], reading["model"]
    values, phrases = dict(parsed.values), dict(parsed.phrases)
    policy = parsed.policy
    for one in readings:
        name, value = one["setting"], one["value"]
        if name in phrases:
            continue
        phrases[name] = Phrase(one["words"], f"{meaning_of(name, value)} (read by {by})")
        if name == "policy":
            policy = value
        else:
            values[name] = float(value) if isinstance(value, int) else value
    asked = tuple(question for question in parsed.questions if not _is_answered(question, readings))
    asked += contradictions(policy, values, phrases)
    return replace(parsed, policy=policy, values=values, phrases=phrases, questions=tuple(dict.fromkeys(asked)))


def _is_answered(question: Question, readings: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether words of a question are quoted, as a policy where it is about a search, and no setting is left."""
    if question.setting or question.has("limit"):
        return False
    quotes = [one for one in readings if _plain(one["words"]) in _plain(question.text)]
    if question.has("search") and all(one["setting"] != "policy" for one in quotes):
        return False
    left = Counter(words_of(question.text)) - Counter(word for one in quotes for word in words_of(one["words"]))
    return bool(quotes) and not Question(text=" ".join(left)).has("setting")


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def instructions(metrics: Mapping[str, str]) -> str:
    """Return the instructions for a model: the settings, the metrics of the skill, and the form of its answer."""
    return _INSTRUCTIONS.format(settings=", ".join(VALUES), metrics=", ".join(metrics) or "none")


_INSTRUCTIONS = """A user asks something of a program that searches hyperparameters (policy on) or trains once (off).
Answer with one JSON object and nothing else: {{"readings": [{{"setting": ..., "value": ..., "words": ...}}]}}
`words` are copied from the request, exactly. Settings: {settings}.
time_s is the limit of the whole study and trial_time_limit_s that of each trial, in seconds. jobs are trials at once.
gpus are all GPUs together. Metrics: {metrics}.
Only what the user asks for: leave out what is not said, and never guess. A negation counts."""
