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


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason to leave a parameter out.

    Attributes:
        name: A short name.
        kind: Whether it also holds for a parameter that the user names by its exact path.
        sentence: Returns why the parameter at a path is left out; empty where the rule does not apply.
    """

    name: str
    kind: RuleKind
    sentence: Callable[[str, Facts], str]


def left_out_by(path: str, facts: Facts, *, is_named: bool) -> str:
    """Return the sentence of the first rule that leaves a parameter out; empty if none does.

    Args:
        path: The parameter.
        facts: What the rules look at.
        is_named: The user names the parameter by its exact path.
    """
    sentences = (rule.sentence(path, facts) for rule in RULES if rule.kind is RuleKind.FACT or not is_named)
    return next(filter(None, sentences), "")


def _not_requested(path: str, facts: Facts) -> str:
    if path in facts.wanted:
        return ""
    if facts.is_narrowed:
        return "not asked for by --search"
    if facts.schema.leaves[path].is_enabled:
        return "not in the curated list automl_default_parameters"
    return "not marked automl_enabled"


def _set_by_user(path: str, facts: Facts) -> str:
    shown = f" to {facts.spec.get(path)!r}" if facts.spec.has(path) else ""
    return f"pinned{shown} by the user" if path in facts.pinned else ""


def _absent(path: str, facts: Facts) -> str:
    sentence = "absent from the merged spec, its block is switched off; set it in the spec to search it"
    return "" if facts.spec.has(path) else sentence


def _not_one_value(path: str, facts: Facts) -> str:
    sentence = f"its value is a list or a block; name one element, {path}[0]=low..high"
    return sentence if isinstance(facts.spec.get(path), dict | list) else ""


def _unusable_schema(path: str, facts: Facts) -> str:
    leaf = facts.schema.leaves.get(path)
    return leaf.problem if leaf is not None else ""


def _disabled(path: str, facts: Facts) -> str:
    return "listed in automl_disabled_parameters" if path in facts.schema.disabled else ""


def _of_another_action(path: str, facts: Facts) -> str:
    block = path.partition(".")[0]
    return f"belongs to the action {block}" if block in facts.rules.action_blocks else ""


def _evaluation_only(path: str, facts: Facts) -> str:
    sentence = "evaluation only: searching it would change how runs are compared"
    return sentence if matches(path, facts.rules.evaluation_only) else ""


def _term_of_the_loss(path: str, facts: Facts) -> str:
    is_term = "loss" in facts.metric.lower() and matches(path, facts.rules.loss_terms)
    sentence = (
        f"a term of the loss, and runs are evaluated by {facts.metric}: searching it would change how runs are compared"
    )
    return sentence if is_term else ""


def _throughput_only(path: str, facts: Facts) -> str:
    sentence = "throughput only: it changes the speed, not the model"
    return sentence if matches(path, facts.rules.throughput) else ""


def _unread(path: str, facts: Facts) -> str:
    if facts.effective is not None:
        return "the trainer does not read it" if path not in facts.effective else ""
    sentence = f"the trainer of {facts.skill.network_arch} does not read it"
    return sentence if matches(path, facts.rules.unread) else ""


def _advised_against(path: str, facts: Facts) -> str:
    advised = facts.rules.advised
    return "the skill's own text advises against searching it" if advised and not matches(path, advised) else ""


def _shape_of_weights(path: str, facts: Facts) -> str:
    weights = _full_weights(facts) if matches(path, facts.rules.shape) else None
    return f"fixed by the pretrained weights in {weights}" if weights is not None else ""


RULES = (
    Rule("not requested", RuleKind.JUDGEMENT, _not_requested),
    Rule("set by the user", RuleKind.FACT, _set_by_user),
    Rule("absent", RuleKind.FACT, _absent),
    Rule("not one value", RuleKind.FACT, _not_one_value),
    Rule("unusable schema", RuleKind.FACT, _unusable_schema),
    Rule("disabled", RuleKind.JUDGEMENT, _disabled),
    Rule("another action", RuleKind.JUDGEMENT, _of_another_action),
    Rule("evaluation only", RuleKind.JUDGEMENT, _evaluation_only),
    Rule("term of the loss", RuleKind.JUDGEMENT, _term_of_the_loss),
    Rule("throughput only", RuleKind.JUDGEMENT, _throughput_only),
    Rule("unread", RuleKind.JUDGEMENT, _unread),
    Rule("advised against", RuleKind.JUDGEMENT, _advised_against),
    Rule("shape of the weights", RuleKind.JUDGEMENT, _shape_of_weights),
)
"""In the order in which they are asked."""


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
