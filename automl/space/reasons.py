"""Why a parameter is not searched: an ordered list of rules, each with the sentence that `automl space` prints.

The first rule that applies decides. What an architecture adds to them stands in its file (`automl/architectures`). A
parameter that the user names by its exact path skips the rules of judgement and keeps those of fact. After these rules
a parameter needs a range (`automl.space.ranges`), has to act (`activity`, below), and values that fit those of its
parents (`automl.space.relations`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.architectures.model import ConditionRule, ParameterRules, matches
from automl.space.conditions import Condition
from automl.spec.special import WordKind, word_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from automl.skill.model import JsonValue, Skill
    from automl.space.values import Scalar
    from automl.spec.model import Spec
    from automl.spec.train_schema import TrainSchema

_ACTION = "train"
_SWITCHES = ("enable", "enabled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that the rules look at.

    Attributes:
        skill: The skill.
        schema: Its train schema.
        spec: The merged spec.
        wanted: Paths that the skill's own space or ``--search`` asks for.
        is_narrowed: ``--search`` asks for less than the skill's own space.
        pinned: Paths that the user set.
        effective: Paths that the trainer reads; None where it does not say.
        metric: What runs are evaluated by; empty where unknown.
        lengths: Length of a run by unit, ``epoch`` and ``step``, where known.
    """

    skill: Skill
    schema: TrainSchema
    spec: Spec
    wanted: Collection[str]
    is_narrowed: bool = False
    pinned: Collection[str] = ()
    effective: Collection[str] | None = None
    metric: str = ""
    lengths: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def rules(self) -> ParameterRules:
        """What the file of the architecture says of parameters."""
        return self.skill.architecture.parameters


class RuleKind(StrEnum):
    """Whether a user can overrule a rule by naming a parameter."""

    FACT = "fact"
    """It holds for every parameter."""
    JUDGEMENT = "judgement"
    """It does not hold for a parameter that the user names by its exact path."""


FACT, JUDGEMENT = RuleKind


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason to leave a parameter out.

    Attributes:
        name: A short name.
        kind: Whether it also holds for a parameter that the user names by its exact path.
        applies: Returns whether the parameter at a path is left out.
        sentence: Why, with the placeholders of `left_out_by`.
    """

    name: str
    kind: RuleKind
    applies: Callable[[str, Facts], bool]
    sentence: str


RULES = (
    Rule("narrowed", JUDGEMENT, lambda path, f: f.is_narrowed and path not in f.wanted, "not asked for by --search"),
    Rule(
        "not curated",
        JUDGEMENT,
        lambda path, f: path not in f.wanted and f.schema.leaves[path].is_enabled,
        "not in the curated list automl_default_parameters",
    ),
    Rule("not marked", JUDGEMENT, lambda path, f: path not in f.wanted, "not marked automl_enabled"),
    Rule("set by the user", FACT, lambda path, f: path in f.pinned, "pinned{value} by the user"),
    Rule(
        "absent",
        FACT,
        lambda path, f: not f.spec.has(path),
        "absent from the merged spec, its block is switched off; set it in the spec to search it",
    ),
    Rule(
        "several values",
        FACT,
        lambda path, f: isinstance(f.spec.get(path), dict | list),
        "its value is a list or a block; name one element, {path}[0]=low..high",
    ),
    Rule(
        "unusable schema",
        FACT,
        lambda path, f: path in f.schema.leaves and bool(f.schema.leaves[path].problem),
        "{problem}",
    ),
    Rule("disabled", JUDGEMENT, lambda path, f: path in f.schema.disabled, "listed in automl_disabled_parameters"),
    Rule(
        "another action",
        JUDGEMENT,
        lambda path, f: path.partition(".")[0] in f.rules.action_blocks,
        "belongs to the action {block}",
    ),
    Rule(
        "evaluation only",
        JUDGEMENT,
        lambda path, f: matches(path, f.rules.evaluation_only),
        "evaluation only: searching it would change how runs are compared",
    ),
    Rule(
        "term of the loss",
        JUDGEMENT,
        lambda path, f: "loss" in f.metric.lower() and matches(path, f.rules.loss_terms),
        "a term of the loss, and runs are evaluated by {metric}: searching it would change how runs are compared",
    ),
    Rule(
        "throughput only",
        JUDGEMENT,
        lambda path, f: matches(path, f.rules.throughput),
        "throughput only: it changes the speed, not the model",
    ),
    Rule(
        "unread, says the trainer",
        JUDGEMENT,
        lambda path, f: f.effective is not None and path not in f.effective,
        "the trainer does not read it",
    ),
    Rule(
        "unread",
        JUDGEMENT,
        lambda path, f: f.effective is None and matches(path, f.rules.unread),
        "the trainer of {network_arch} does not read it",
    ),
    Rule(
        "advised against",
        JUDGEMENT,
        lambda path, f: bool(f.rules.advised) and not matches(path, f.rules.advised),
        "the skill's own text advises against searching it",
    ),
    Rule(
        "shape of the weights",
        JUDGEMENT,
        lambda path, f: matches(path, f.rules.shape) and _full_weights(f) is not None,
        "fixed by the pretrained weights in {weights}",
    ),
)
"""In the order in which they are asked."""


def left_out_by(path: str, facts: Facts, *, is_named: bool) -> str:
    """Return the sentence of the first rule that leaves a parameter out; empty if none does.

    Args:
        path: The parameter.
        facts: What the rules look at.
        is_named: The user names the parameter by its exact path.
    """
    asked = (rule for rule in RULES if rule.kind is RuleKind.FACT or not is_named)
    rule = next((rule for rule in asked if rule.applies(path, facts)), None)
    if rule is None:
        return ""
    leaf = facts.schema.leaves.get(path)
    return rule.sentence.format(
        path=path,
        block=path.partition(".")[0],
        value=f" to {facts.spec.get(path)!r}" if facts.spec.has(path) else "",
        problem=leaf.problem if leaf is not None else "",
        metric=facts.metric,
        network_arch=facts.skill.network_arch,
        weights=_full_weights(facts),
    )


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


def activity(path: str, facts: Facts, searched: Collection[str]) -> tuple[Condition | None, str]:
    """Tell when a parameter acts.

    Args:
        path: The parameter.
        facts: What the rules look at.
        searched: Paths that may be searched, whose values are not fixed.

    Returns:
        The condition on a searched parameter, or None; and why the parameter cannot act at all, or an empty text.
    """
    conditions: list[Condition] = []
    for parent, admitted in _parents(path, facts, searched):
        if parent in searched and admitted:
            conditions.append(Condition(path=parent, any_of=admitted))
        elif not facts.spec.has(parent) or facts.spec.get(parent) not in admitted:
            here = facts.spec.get(parent) if facts.spec.has(parent) else None
            only = f", it acts under {', '.join(map(str, admitted))}" if admitted and admitted != (True,) else ""
            return None, f"inactive: {parent} is {here}{only}"
    unreached = _unreached(path, facts, searched)
    if unreached or not conditions:
        return None, unreached
    return replace(conditions[0], also=tuple(conditions[1:])), ""


def _unreached(path: str, facts: Facts, searched: Collection[str]) -> str:
    """Return why a parameter never acts in a run as short as this one; empty if it may."""
    for rule in facts.rules.milestones:
        length = facts.lengths.get(rule.unit)
        if (
            length is None
            or rule.parent in searched
            or not matches(path, (rule.path,))
            or not facts.spec.has(rule.first)
        ):
            continue
        is_used = facts.spec.has(rule.parent) and matches(str(facts.spec.get(rule.parent)), rule.any_of)
        listed = facts.spec.get(rule.first)
        numbers = [n for n in (listed if isinstance(listed, list) else [listed]) if isinstance(n, int | float)]
        if is_used and numbers and min(numbers) >= length:
            return f"inactive: {rule.first} starts at {rule.unit} {min(numbers)} and the run ends after {length}"
    return ""


def _parents(path: str, facts: Facts, searched: Collection[str]) -> list[tuple[str, tuple[Scalar, ...]]]:
    """Return what decides whether a parameter acts: (parent, values under which it does)."""
    found: list[tuple[str, tuple[Scalar, ...]]] = [(switch, (True,)) for switch in _switches(path, facts, searched)]
    decided: set[str] = set()
    for rule in facts.rules.conditions:
        parent = _parent_of(rule, path, facts.spec) if matches(path, (rule.path,)) else None
        # The rules of the architecture come first and replace those of all architectures about the same parent.
        if parent is not None and parent not in decided:
            decided.add(parent)
            found.append((parent, tuple(value for value in _values_of(parent, facts) if rule.admits(value))))
    return found


def _parent_of(rule: ConditionRule, path: str, spec: Spec) -> str | None:
    """Return the path of the parent that decides for a parameter, or None if the spec has none."""
    block = path.rpartition(".")[0]
    candidates = (f"{block}{parent}" if parent.startswith(".") else parent for parent in rule.parents)
    return spec.first_of(candidate for candidate in candidates if candidate != path)


def _switches(path: str, facts: Facts, searched: Collection[str]) -> list[str]:
    """Return the ``enable`` flags of the parameter's own and outer blocks that are off or may be searched."""
    found = []
    block = path.rpartition(".")[0]
    while block:
        for name in _SWITCHES:
            switch = f"{block}.{name}"
            is_flag = switch != path and facts.spec.has(switch) and isinstance(facts.spec.get(switch), bool)
            if is_flag and (switch in searched or facts.spec.get(switch) is False):
                found.append(switch)
        block = block.rpartition(".")[0]
    return found


def _values_of(path: str, facts: Facts) -> tuple[Scalar, ...]:
    """Return every value that a parent is known to take: the spec's own and the options of the schema."""
    leaf = facts.schema.leaves.get(path)
    options: list[Scalar] = list(leaf.choices) if leaf is not None else []
    here: JsonValue = facts.spec.get(path)
    if not isinstance(here, dict | list) and here not in options:
        options.append(here)
    return tuple(options)


def _full_weights(facts: Facts) -> str | None:
    """Return the key of pretrained weights for the whole model, if the spec names such weights."""
    words = facts.skill.actions[_ACTION].spec_params
    kinds = {WordKind.PRETRAINED, WordKind.PRETRAINED_UNLESS_RESUMED, WordKind.RESUME, WordKind.PARENT}
    for key, word in words.items():
        if word_kind(word) in kinds and "backbone" not in key and facts.spec.has(key) and facts.spec.get(key):
            return key
    return None
