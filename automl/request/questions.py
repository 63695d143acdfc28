"""What of a request in plain text only the user can decide."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl.request.grammar import is_of_kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_GPUS_OF_A_MACHINE = 8
_KNOWN = (
    (r"\d\s*(?:-|to|or|and)\s*\d", "a range of numbers is not read: give one, the limit"),
    (r"\d\.\d+\s*(?:x\s*)?gpus?\b(?![-\s]*(?:hour|hr|h\b))", "a part of a GPU is for each trial: 0.5 GPUs per trial"),
)
"""What is often meant -> what to do."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A part of the text and what it was read as."""

    text: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A part of the text that only the user can decide.

    Attributes:
        text: The clause, or the phrases that contradict each other.
        unread: What in it is not read.
        setting: What phrases contradict each other about.
        advice: What to do, where that is known.
    """

    text: str
    unread: tuple[str, ...] = ()
    setting: str | None = None
    advice: str = ""

    def has(self, kind: str) -> bool:
        """Return whether a word of it is of a kind under ``questions`` in `grammar.toml`."""
        return any(is_of_kind(word, (kind,)) for word in words_of(self.text))

    def has_only(self, *kinds: str) -> bool:
        """Return whether every word of it is of one of the kinds."""
        return all(is_of_kind(word, kinds) for word in words_of(self.text))


def words_of(text: str) -> list[str]:
    """Return the words of a text, without what stands between them."""
    return re.findall(r"[^\s,;:!?()\"]+", text)


def advice_on(text: str, unread: tuple[str, ...], metrics: Mapping[str, str]) -> str:
    """Return what to do about a clause that is not read in full, where that is known."""
    directed = [
        f"{name} is to be {direction}d"
        for name, direction in metrics.items()
        for part in unread
        if " " in part and name.rpartition("/")[2].lower() in part.lower().split()
    ]
    if directed:
        return f"a metric has its own direction: {', '.join(dict.fromkeys(directed))}"
    return next((advice for form, advice in _KNOWN if re.search(form, text, re.IGNORECASE)), "")


def contradictions(
    policy: str | None, values: Mapping[str, Any], phrases: Mapping[str, Phrase]
) -> tuple[Question, ...]:
    """Return what speaks of a search where one training is asked for, and resources that cannot be had together."""
    return tuple(
        Question(text=" ... ".join(phrases[name].text for name in names), setting=names[0], advice=advice)
        for names, advice in (
            *_of_policy(policy, values),
            *_of_gpus({**values, "policy": policy}),
            *_of_trials(values, phrases),
        )
    )


def _of_policy(policy: str | None, values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    about_search = {"trials", "jobs", "sampler", "scheduler", "patience_trials", "replicates"} & set(values)
    if policy == "off" and not all(values[name] == 1 for name in about_search):
        yield from ((("policy", name), "") for name in sorted(about_search))


def _of_gpus(values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    each, gpus, jobs = (values.get(name) for name in ("gpus_per_trial", "gpus", "jobs"))
    if each == 0:
        advice = "say either the CPU or GPUs: --gpus-per-trial 0 is the CPU"
        yield from ((("gpus_per_trial", name), advice) for name in ("gpus", "gpu_hours") if name in values)
    elif each and gpus and jobs and jobs * each > gpus:
        advice = f"{jobs:g} trials at once with {each:g} GPUs each need {jobs * each:g} GPUs: change one of the numbers"
        yield ("gpus_per_trial", "jobs", "gpus"), advice
    elif each and gpus and each > gpus:
        yield ("gpus_per_trial", "gpus"), f"a trial with {each:g} GPUs does not fit {gpus:g}: change one of the numbers"


def _of_trials(values: Mapping[str, Any], phrases: Mapping[str, Phrase]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield a count at once that may be the total: more than the GPUs, and no total is said."""
    jobs, is_key = values.get("jobs"), "jobs" in phrases and re.search("[:=]", phrases["jobs"].text)
    if jobs and jobs > values.get("gpus", _GPUS_OF_A_MACHINE) and "trials" not in values and not is_key:
        yield ("jobs",), f"say the total and how many at once, as in: {jobs:g} trials, 4 at once"
