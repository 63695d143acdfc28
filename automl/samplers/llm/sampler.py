"""A language model proposes: it gets the space, the skill's notes and every trial, and answers with one assignment.

An answer outside the space, or one that was tried before, is sent back with what is wrong with it, a few times. After
that, and when the endpoint does not answer, the study ends with an error: nothing is ever drawn in its place. What the
model proposed is journaled, so a resume needs no second answer; a repetition of the study may get other ones.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl.errors import LaunchError, Problem
from automl.samplers.gaussian_process.background import Background
from automl.samplers.llm.chat import address_of, ask_model, check_endpoint, hidden, read_endpoint
from automl.samplers.llm.prompt import describe, history_entries
from automl.samplers.sampler import Candidate, Sampler
from automl.samplers.unseen import every_assignment
from automl.space.parameters import ParameterType
from automl.study.causes import Origin, OriginKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl.samplers.history import History
    from automl.samplers.llm.chat import Endpoint
    from automl.space.parameters import SearchSpace
    from automl.space.values import Scalar
    from automl.study.model import StudyPlan

_ANSWERS = 4
# Spaces up to this size are known to the last assignment.
_ENUMERABLE = 2000
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """An answer of the model: its assignment, or what is wrong with it."""

    assignment: dict[str, Scalar]
    problems: tuple[str, ...]


class LlmSampler(Sampler):
    """Asks a language model for each assignment.

    Args:
        plan: The study.

    Raises:
        LaunchError: the environment names no endpoint.
    """

    def __init__(self, plan: StudyPlan) -> None:
        endpoint = read_endpoint()
        if endpoint is None:
            raise LaunchError("no language model is named", check_endpoint())
        super().__init__(plan.space, plan.seed)
        self._plan = plan
        self._endpoint: Endpoint = endpoint
        self._description = describe(plan)
        self._begun: Background[Candidate | None] | None = None

    @classmethod
    def for_plan(cls, plan: StudyPlan, given: int) -> LlmSampler:
        """Return the sampler of a study."""
        del given
        return cls(plan)

    @classmethod
    def asks_language_model(cls, options: Mapping[str, object]) -> bool:
        """Tell that a language model proposes every trial."""
        del options
        return True

    def is_ready(self, history: History, number: int) -> bool:
        """Tell whether the model has answered; ask it in the background where it was not asked yet."""
        if self._begun is None:
            self._begun = Background(lambda: self._asked(history, number))
        return self._begun.is_done

    def propose(self, history: History, number: int) -> Candidate | None:
        """Return the model's assignment, or None once every assignment has been tried.

        Raises:
            LaunchError: the model does not answer, or no answer can be tried.
        """
        begun, self._begun = self._begun, None
        if begun is not None:
            candidate = begun.result()
            # Meanwhile a clone of another trial may have got the same assignment.
            if candidate is not None and all(dict(o.assignment) != candidate.assignment for o in history.observations):
                return candidate
        return self._asked(history, number)

    def _asked(self, history: History, number: int) -> Candidate | None:
        tried = [dict(o.assignment) for o in history.observations]
        if self._is_exhausted(tried):
            return None
        task = {**self._description, "next_trial": number, "trials": history_entries(self._plan, history)}
        messages = [
            {"role": "system", "content": _RULES},
            {"role": "user", "content": hidden(json.dumps(task), self._endpoint)},
        ]
        checked = CheckedAnswer({}, ("no answer",))
        for _ in range(_ANSWERS):
            text = ask_model(self._endpoint, messages)
            checked = check_answer(text, self._plan.space, tried)
            if not checked.problems:
                return Candidate(assignment=checked.assignment, origin=Origin(OriginKind.LLM))
            correction = (
                "That cannot be tried: " + "; ".join(checked.problems) + ". Answer again, with one JSON object."
            )
            messages += [{"role": "assistant", "content": text}, {"role": "user", "content": correction}]
        raise self._unusable(number, checked)

    def _is_exhausted(self, tried: list[dict[str, Scalar]]) -> bool:
        space = self._plan.space
        return space.size <= _ENUMERABLE and all(a in tried for a in every_assignment(space))

    def _unusable(self, number: int, checked: CheckedAnswer) -> LaunchError:
        problem = Problem(
            where=f"trial {number}, {address_of(self._endpoint)}",
            found=hidden("; ".join(checked.problems), self._endpoint)[:_SHOWN],
            expected="an assignment inside the space that has not been tried",
            fix="use another model or another --sampler; `automl resume` asks again",
        )
        headline = (
            f"{self._endpoint.model} gave {_ANSWERS} answers that cannot be tried; nothing was drawn in their place"
        )
        return LaunchError(headline, [problem])


class LlmInitialDesign(Sampler):
    """Lets a language model propose the first trials, and another sampler the rest of the initial design.

    Args:
        model: The language model.
        count: How many trials it proposes.
        design: Proposes the others.
    """

    def __init__(self, model: LlmSampler, count: int, design: Sampler) -> None:
        self._model = model
        self._count = count
        self._design = design

    def propose(self, history: History, number: int) -> Candidate | None:
        """Return the next assignment of the initial design."""
        return self._next(history).propose(history, number)

    def is_ready(self, history: History, number: int) -> bool:
        """Tell whether the next assignment of the initial design is there."""
        return self._next(history).is_ready(history, number)

    def _next(self, history: History) -> Sampler:
        asked = sum(o.origin.kind is OriginKind.LLM for o in history.observations)
        return self._model if asked < self._count else self._design


def check_answer(text: str, space: SearchSpace, tried: list[dict[str, Scalar]]) -> CheckedAnswer:
    """Read an answer and compare it with the space and with what was tried.

    Args:
        text: One JSON object with the key ``assignment``, or the assignment itself; text around it is ignored.
        space: What is searched.
        tried: The assignments so far.
    """
    start, end = text.find("{"), text.rfind("}")
    try:
        document: Any = json.loads(text[start : end + 1]) if 0 <= start < end else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return CheckedAnswer({}, ("it holds no JSON object",))
    found = document.get("assignment", document)
    if not isinstance(found, dict):
        return CheckedAnswer({}, ("`assignment` is no object",))
    assignment = {path: _with_type(space, path, value) for path, value in found.items()}
    ordered = {path: assignment[path] for path in space.paths if path in assignment}
    problems = space.violations(assignment)
    if not problems and ordered in tried:
        problems = ("it was tried before",)
    return CheckedAnswer(ordered, problems)


def _with_type(space: SearchSpace, path: str, value: Scalar) -> Scalar:
    """Return a number as the parameter writes it: JSON knows one kind of number."""
    if path not in space.paths or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    kind = space[path].type
    if kind is ParameterType.INT and isinstance(value, float) and value.is_integer():
        return int(value)
    return float(value) if kind is ParameterType.FLOAT and not space[path].choices else value


_RULES = """You choose the hyperparameters of the next training run of a deep learning model.
You get one JSON object: what is trained, the objectives, the constraints, the searched parameters with their ranges and
conditions, the notes of the model's skill, and every trial so far with its outcome.
DIVERGED means that the loss was not finite; FAILED says nothing about the assignment; RUNNING trials have no value yet.
Answer with one JSON object and nothing else: {"why": "one sentence", "assignment": {"parameter.path": value, ...}}
The assignment has a value for every parameter that acts under it and for no other one. Numbers lie inside their range
and on their step, both ends included; other values are one of the choices. Do not repeat an assignment."""
