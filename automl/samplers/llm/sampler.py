"""A language model proposes: it gets the space, the skill's notes and every trial, and answers with one assignment.

An answer outside the space, or one that was tried before, is sent back with what is wrong with it, a few times. After
that, and when the endpoint does not answer, the study ends with an error: nothing is ever drawn in its place. What the
model proposed is journaled, so a resume needs no second answer; a repetition of the study may get other ones.
"""

from __future__ import annotations

import json
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from automl.errors import LaunchError, Problem
from automl.samplers.llm.chat import ask_model, check_endpoint, read_endpoint
from automl.samplers.llm.prompt import describe, describe_trial
from automl.samplers.neighbours import every_assignment
from automl.samplers.sampler import Candidate, Sampler
from automl.space.parameters import ParameterType
from automl.study.causes import Origin, OriginKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automl.samplers.history import History
    from automl.space.search_space import SearchSpace
    from automl.space.values import Scalar
    from automl.study.model import StudyPlan

_ANSWERS = 4
# Spaces up to this size are known to the last assignment.
_ENUMERABLE = 2000
_SHOWN = 200


class LlmSampler(Sampler):
    """Asks a language model for each assignment.

    Raises:
        LaunchError: the environment names no endpoint.
    """

    def __init__(self, plan: StudyPlan) -> None:
        endpoint = read_endpoint()
        if endpoint is None:
            raise LaunchError("no language model is named", check_endpoint())
        super().__init__(plan.space, plan.seed)
        self._plan = plan
        self._endpoint = endpoint
        self._description = describe(plan)
        self._begun: Future[Candidate | None] | None = None

    @classmethod
    def for_plan(cls, plan: StudyPlan) -> LlmSampler:
        """Return the sampler of a study."""
        return cls(plan)

    def is_ready(self, history: History, number: int) -> bool:
        """Tell whether the model has answered; ask it in the background where it was not asked yet."""
        if self._begun is None:
            self._begun = Future()
            # An executor's thread would keep the process from ending while the model thinks.
            arguments = (self._begun, history, number)
            threading.Thread(target=self._answer, args=arguments, name="automl-llm", daemon=True).start()
        return self._begun.done()

    def _answer(self, begun: Future[Candidate | None], history: History, number: int) -> None:
        try:
            begun.set_result(self._asked(history, number))
        except Exception as error:  # noqa: BLE001 - raised where the proposal is taken
            begun.set_exception(error)

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
        space = self._space
        tried = [dict(o.assignment) for o in history.observations]
        if space.size <= _ENUMERABLE and all(a in tried for a in every_assignment(space)):
            return None
        trials = [describe_trial(self._plan, observation) for observation in history.observations]
        task = {**self._description, "next_trial": number, "trials": trials}
        messages = [
            {"role": "system", "content": _RULES},
            {"role": "user", "content": self._endpoint.hide_key(json.dumps(task))},
        ]
        problems: Sequence[str] = ()
        for _ in range(_ANSWERS):
            text = ask_model(self._endpoint, messages)
            assignment, problems = check_answer(text, space, tried)
            if not problems:
                return Candidate(assignment, Origin(OriginKind.LLM))
            correction = "That cannot be tried: " + "; ".join(problems) + ". Answer again, with one JSON object."
            messages += [{"role": "assistant", "content": text}, {"role": "user", "content": correction}]
        problem = Problem(
            where=f"trial {number}, {self._endpoint.address}",
            found=self._endpoint.hide_key("; ".join(problems))[:_SHOWN],
            expected="an assignment inside the space that has not been tried",
            fix="use another model or another --sampler; `automl resume` asks again",
        )
        headline = (
            f"{self._endpoint.model} gave {_ANSWERS} answers that cannot be tried; nothing was drawn in their place"
        )
        raise LaunchError(headline, [problem])


def check_answer(
    text: str, space: SearchSpace, tried: Sequence[Mapping[str, Scalar]]
) -> tuple[dict[str, Scalar], Sequence[str]]:
    """Read an answer and compare it with the space and with what was tried.

    Args:
        text: One JSON object with the key ``assignment``, or the assignment itself; text around it is ignored.
        space: What is searched.
        tried: The assignments so far.

    Returns:
        The assignment, and what is wrong with it.
    """
    start, end = text.find("{"), text.rfind("}")
    try:
        document: Any = json.loads(text[start : end + 1]) if 0 <= start < end else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return {}, ("it holds no JSON object",)
    found = document.get("assignment", document)
    if not isinstance(found, dict):
        return {}, ("`assignment` is no object",)
    assignment = {path: _with_type(space, path, value) for path, value in found.items()}
    ordered = {path: assignment[path] for path in space.paths if path in assignment}
    problems = space.violations(assignment)
    if not problems and ordered in tried:
        problems = ("it was tried before",)
    return ordered, problems


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
