"""Why a parameter of the schema is not searched, in the order in which the reasons are asked for.

A parameter is searched when the skill says so, it can change training, and it does not move the yard-stick. Parameters
that a user names by their exact path skip the questions of taste and keep those of fact.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.architectures.model import ConditionRule, ParameterRules, matches
from automl.space.conditions import Condition
from automl.spec.special import WordKind, word_kind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from automl.skill.model import JsonValue, Skill
    from automl.space.values import Scalar
    from automl.spec.model import Spec
    from automl.spec.train_schema import TrainSchema

_JUDGING = ("evaluate", "inference", "export", "gen_trt_engine")
_SWITCHES = ("enable", "enabled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """Everything the questions look at.

    Attributes:
        skill: The skill.
        action: The action that is run.
        schema: Its schema.
        spec: The merged spec.
        rules: What the architecture's file says of parameters.
        pinned: Paths that the user set.
        effective: Paths that the trainer reads; None where it does not say.
        metric: What runs are judged by; empty where unknown.
        lengths: Length of a run by unit, ``epoch`` and ``step``, where known.
    """

    skill: Skill
    action: str
    schema: TrainSchema
    spec: Spec
    rules: ParameterRules
    pinned: Collection[str]
    effective: Collection[str] | None
    metric: str = ""
    lengths: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


def reason_of_fact(path: str, q: Questions) -> str:
    """Return why a parameter cannot be searched even if it is asked for; empty if it can."""
    if path in q.pinned:
        shown = f" to {q.spec.get(path)!r}" if q.spec.has(path) else ""
        return f"pinned{shown} by the user"
    if not q.spec.has(path):
        return "absent from the merged spec, its block is switched off; set it in the spec to search it"
    if isinstance(q.spec.get(path), dict | list):
        return f"its value is a list or a block; name one element, {path}[0]=low..high"
    leaf = q.schema.leaves.get(path)
    return leaf.problem if leaf is not None else ""


def reason_of_taste(path: str, q: Questions) -> str:
    """Return why a parameter should not be searched unless it is asked for by name; empty if it should."""
    section = path.partition(".")[0]
    is_judging = q.action in _JUDGING or q.action.endswith("_hpo")
    weights = _full_weights(q) if matches(path, q.rules.shape) else None
    answers = (
        (path in q.schema.disabled, "listed in automl_disabled_parameters"),
        (section in q.rules.action_blocks and section != q.action, f"belongs to the action {section}"),
        (section == "train" and q.action in _JUDGING, "belongs to the action train"),
        (
            not is_judging and matches(path, q.rules.evaluation_only),
            "part of how a run is judged: searching it moves the yard-stick",
        ),
        (
            not is_judging and "loss" in q.metric.lower() and matches(path, q.rules.loss_terms),
            f"a term of the loss, and runs are judged by {q.metric}: searching it moves the yard-stick",
        ),
        (matches(path, q.rules.throughput), "throughput only: it changes the speed, not the model"),
        (q.effective is not None and path not in q.effective, "the trainer does not read it"),
        (
            q.effective is None and matches(path, q.rules.unread),
            f"the trainer of {q.skill.network_arch} does not read it",
        ),
        (
            bool(q.rules.advised) and not is_judging and not matches(path, q.rules.advised),
            "the skill's own text advises against searching it",
        ),
        (weights is not None, f"fixed by the pretrained weights in {weights}"),
    )
    return next((reason for is_so, reason in answers if is_so), "")


def effective_parameters(skill: Skill, schema: TrainSchema) -> Collection[str] | None:
    """Return the parameters that a trainer says it reads, or None if it does not say.

    A skill without an image runs the trainer of this environment; the schema that comes with it flags what that trainer
    reads. What other containers read stands in the table of architectures.
    """
    if schema.effective is not None:
        return schema.effective
    if skill.image is None and all(action.image is None for action in skill.actions.values()):
        return frozenset(schema.leaves)
    return None


def activity(path: str, q: Questions, searched: Collection[str]) -> tuple[Condition | None, str]:
    """Tell when a parameter acts.

    Args:
        path: The parameter.
        q: What the questions look at.
        searched: Paths that may be searched, whose values are not fixed.

    Returns:
        The condition on a searched parameter, or None; and why the parameter cannot act at all, or an empty text.
    """
    conditions: list[Condition] = []
    for parent, admitted in _parents(path, q, searched):
        if parent in searched and admitted:
            conditions.append(Condition(path=parent, any_of=admitted))
        elif not q.spec.has(parent) or q.spec.get(parent) not in admitted:
            here = q.spec.get(parent) if q.spec.has(parent) else None
            only = f", it acts under {', '.join(map(str, admitted))}" if admitted and admitted != (True,) else ""
            return None, f"inactive: {parent} is {here}{only}"
    unreached = _unreached(path, q, searched)
    if unreached or not conditions:
        return None, unreached
    return replace(conditions[0], also=tuple(conditions[1:])), ""


def _unreached(path: str, q: Questions, searched: Collection[str]) -> str:
    """Return why a parameter never acts in a run as short as this one; empty if it may."""
    for rule in q.rules.milestones:
        length = q.lengths.get(rule.unit)
        if length is None or rule.parent in searched or not matches(path, (rule.path,)) or not q.spec.has(rule.first):
            continue
        is_used = q.spec.has(rule.parent) and matches(str(q.spec.get(rule.parent)), rule.any_of)
        listed = q.spec.get(rule.first)
        numbers = [n for n in (listed if isinstance(listed, list) else [listed]) if isinstance(n, int | float)]
        if is_used and numbers and min(numbers) >= length:
            return f"inactive: {rule.first} starts at {rule.unit} {min(numbers)} and the run ends after {length}"
    return ""


def _parents(path: str, q: Questions, searched: Collection[str]) -> list[tuple[str, tuple[Scalar, ...]]]:
    """Return what decides whether a parameter acts: (parent, values under which it does)."""
    found: list[tuple[str, tuple[Scalar, ...]]] = [(switch, (True,)) for switch in _switches(path, q, searched)]
    decided: set[str] = set()
    for rule in q.rules.conditions:
        parent = _parent_of(rule, path, q.spec) if matches(path, (rule.path,)) else None
        # The rules of the architecture come first and replace those of all architectures about the same parent.
        if parent is not None and parent not in decided:
            decided.add(parent)
            found.append((parent, tuple(value for value in _values_of(parent, q) if rule.admits(value))))
    return found


def _parent_of(rule: ConditionRule, path: str, spec: Spec) -> str | None:
    """Return the path of the parent that decides for a parameter, or None if the spec has none."""
    block = path.rpartition(".")[0]
    candidates = (f"{block}{parent}" if parent.startswith(".") else parent for parent in rule.parents)
    return spec.first_of(candidate for candidate in candidates if candidate != path)


def _switches(path: str, q: Questions, searched: Collection[str]) -> list[str]:
    """Return the ``enable`` flags of the parameter's own and outer blocks that are off or may be searched."""
    found = []
    block = path.rpartition(".")[0]
    while block:
        for name in _SWITCHES:
            switch = f"{block}.{name}"
            is_flag = switch != path and q.spec.has(switch) and isinstance(q.spec.get(switch), bool)
            if is_flag and (switch in searched or q.spec.get(switch) is False):
                found.append(switch)
        block = block.rpartition(".")[0]
    return found


def _values_of(path: str, q: Questions) -> tuple[Scalar, ...]:
    """Return every value that a parent is known to take: the spec's own and the options of the schema."""
    leaf = q.schema.leaves.get(path)
    options: list[Scalar] = list(leaf.choices) if leaf is not None else []
    here: JsonValue = q.spec.get(path)
    if not isinstance(here, dict | list) and here not in options:
        options.append(here)
    return tuple(options)


def _full_weights(q: Questions) -> str | None:
    """Return the key of pretrained weights for the whole model, if the spec names such weights."""
    words = q.skill.actions[q.action].spec_params
    kinds = {WordKind.PRETRAINED, WordKind.PRETRAINED_UNLESS_RESUMED, WordKind.RESUME, WordKind.PARENT}
    for key, word in words.items():
        if word_kind(word) in kinds and "backbone" not in key and q.spec.has(key) and q.spec.get(key):
            return key
    return None
