"""Why a parameter is not searched: an ordered list of rules, each with the sentence that `automl space` prints.

The first rule that applies decides. What an architecture adds to them stands in its file (`automl/architectures`). A
parameter that the user names by its exact path only has to pass those of fact. After these rules a parameter needs a
range (`automl.space.ranges`), has to act (`automl.space.activity`), and values that fit those of its parents
(`automl.space.relations`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.architectures.model import ParameterRules, matches, named
from automl.regular_file import read_regular_file
from automl.skill.layout import contained
from automl.spec.special import WordKind, word_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from automl.skill.model import Skill
    from automl.spec.model import Spec
    from automl.spec.train_schema import TrainSchema

_ACTION = "train"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that the rules look at.

    Attributes:
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


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason to leave a parameter out: whether it applies to a path, and its sentence (see `left_out_by`)."""

    applies: Callable[[str, Facts], bool]
    sentence: str


_BY_NAME: tuple[tuple[Callable[[str, ParameterRules], bool], str], ...] = (
    (
        lambda path, rules: named(path, rules.evaluation_only) and not named(path, rules.training_only),
        "evaluation only: searching it would change how runs are compared",
    ),
    (
        lambda path, rules: named(path, rules.after_output) and not named(path, rules.during_training),
        "it acts after the network's output: searching it would change how runs are compared, and no training",
    ),
    (
        lambda path, rules: matches(f".{path}", rules.throughput),  # a name without a block is one too
        "throughput only: it changes the speed, not the model",
    ),
    (
        lambda path, rules: named(path, rules.caps),
        "a cap on the size of images: it changes nothing where they are smaller",
    ),
    (
        lambda path, rules: named(path, rules.recording),
        "it changes where a run is placed and what is written of it, not the model",
    ),
    (
        lambda path, rules: named(path, rules.stopping) and not any(rule.concerns(path) for rule in rules.conditions),
        "it decides when a run ends or what it sees of the data, not how it learns",
    ),
)


def by_name(path: str, rules: ParameterRules) -> str:
    """Return why a parameter with such a name is not searched, of any trainer; empty if nothing is known against it."""
    return next((sentence for applies, sentence in _BY_NAME if applies(path, rules)), "")


_NOT_WANTED = (
    Rule(lambda path, f: f.is_narrowed and path not in f.wanted, "not asked for by --search"),
    Rule(
        lambda path, f: path not in f.wanted and f.schema.leaves[path].is_enabled,
        "not in the curated list automl_default_parameters",
    ),
    Rule(lambda path, f: path not in f.wanted, "not marked automl_enabled"),
)
_FACTS = (
    Rule(lambda path, f: path in f.pinned, "pinned{value} by the user"),
    Rule(
        lambda path, f: not f.spec.has(path),
        "absent from the merged spec, its block is switched off; set it in the spec to search it",
    ),
    Rule(
        lambda path, f: isinstance(f.spec.get(path), dict | list),
        "its value is a list or a block; name one element, {path}[0]=low..high",
    ),
    Rule(lambda path, f: path in f.schema.leaves and bool(f.schema.leaves[path].problem), "{problem}"),
)
"""They hold for every parameter."""
_JUDGEMENTS = (
    Rule(lambda path, f: path in f.schema.disabled, "listed in automl_disabled_parameters"),
    Rule(lambda path, f: path.partition(".")[0] in f.rules.action_blocks, "belongs to the action {block}"),
    Rule(lambda path, f: bool(by_name(path, f.rules)), "{by_name}"),
    Rule(
        lambda path, f: "loss" in f.metric.lower() and matches(path, f.rules.loss_terms),
        "a term of the loss, and runs are evaluated by {metric}: searching it would change how runs are compared",
    ),
    Rule(
        lambda path, f: _is_train_loss(f.metric) and named(path, f.rules.train_loss_terms),
        "runs are evaluated by {metric}, the loss of the training data itself: it would always be searched away",
    ),
    Rule(
        lambda path, f: named(path, f.rules.fixed_by_data),
        "fixed by the data or the network: other values do not fit",
    ),
    Rule(lambda path, f: f.effective is not None and path not in f.effective, "the trainer does not read it"),
    Rule(
        lambda path, f: f.effective is None and matches(path, f.rules.unread),
        "the trainer of {network_arch} does not read it",
    ),
    Rule(
        lambda path, f: bool(f.rules.advised) and path not in f.schema.curated and not matches(path, f.rules.advised),
        "{advice}",
    ),
    Rule(
        lambda path, f: matches(path, f.rules.shape) and _full_weights(f) is not None,
        "fixed by the pretrained weights in {weights}",
    ),
)
RULES = (*_NOT_WANTED, *_FACTS, *_JUDGEMENTS)
"""In the order in which they are asked."""


def left_out_by(path: str, facts: Facts, *, is_named: bool) -> str:
    """Return the sentence of the first rule that leaves a parameter out; empty if none does.

    A parameter that the user names by its exact path ``is_named``.
    """
    rule = next((rule for rule in (_FACTS if is_named else RULES) if rule.applies(path, facts)), None)
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
        advice=_advice(facts),
        by_name=by_name(path, facts.rules),
    )


def _advice(facts: Facts) -> str:
    """Return the line of the skill's text that names all that it advises to search; the names where it has no such."""
    advised = facts.rules.advised
    file = contained(facts.skill.root / "SKILL.md", facts.skill.root) if advised else None
    lines = read_regular_file(file).decode(errors="replace").splitlines() if file is not None else []
    said = next((line.strip() for line in lines if all(name in line for name in advised)), None)
    return f'the skill says: "{said}"' if said else f"the skill's text advises to search only {', '.join(advised)}"


def _is_train_loss(metric: str) -> bool:
    return "loss" in metric.lower() and "train" in metric.lower()


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


def _full_weights(facts: Facts) -> str | None:
    """Return the key of pretrained weights for the whole model, if the spec names such weights."""
    kinds = {WordKind.PRETRAINED, WordKind.PRETRAINED_UNLESS_RESUMED, WordKind.RESUME, WordKind.PARENT}
    for key, word in facts.skill.actions[_ACTION].spec_params.items():
        if word_kind(word) in kinds and "backbone" not in key and facts.spec.has(key) and facts.spec.get(key):
            return key
    return None
