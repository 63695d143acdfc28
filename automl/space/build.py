"""Build the search space of a skill: which parameters, in which ranges, and why every other one is left out.

The curated list of the schema is the space, else its flags; ``--search`` narrows or widens it. Each candidate then has
to pass the rules of `automl.space.reasons`, get a range from `automl.space.ranges` and fit the values of its parents
(`automl.space.relations`). The result is pure data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from automl.architectures.model import matches
from automl.errors import ConfigurationError, Problem
from automl.skill.objective import usual_metric
from automl.space.parameters import LeftOut, Parameter, SearchSpace
from automl.space.ranges import RangeError, UserRange, is_batch_size, is_rate, make_parameter
from automl.space.reasons import Facts, activity, effective_parameters, left_out_by
from automl.space.relations import Bound, bind, relations_of
from automl.space.selection import Selection, check_user_range, read_selection
from automl.spec.math_cond import parse_math_cond
from automl.spec.model import iterate_leaves
from automl.spec.train_schema import LeafKind, SchemaLeaf, kind_of_value

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from automl.skill.model import Skill
    from automl.spec.model import Spec
    from automl.spec.train_schema import TrainSchema

_NUMBERS = {LeafKind.FLOAT, LeafKind.INT}
_SEARCHED = {*_NUMBERS, LeafKind.BOOL, LeafKind.CATEGORICAL}
_SUGGESTED_BLOCKS = ("train.*", "model.*", "dataset.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceRequest:
    """What a run says about its space.

    Attributes:
        search: Items of ``--search``; empty for the skill's own space.
        pinned: Parameter paths that the user set: they leave the space.
        sample_count: Training samples, where known; caps batch sizes.
        devices: Devices that share a batch, each with its own batch size.
        metric: What runs are evaluated by; None for the skill's usual metric.
    """

    search: Sequence[str] = ()
    pinned: Collection[str] = ()
    sample_count: int | None = None
    devices: int = 1
    metric: str | None = None


def build_space(skill: Skill, schema: TrainSchema, spec: Spec, request: SpaceRequest | None = None) -> SearchSpace:
    """Build the space.

    Args:
        skill: The skill.
        schema: Its train schema.
        spec: The merged spec, whose values are trial 0.
        request: What the run asks for; None for nothing.

    Raises:
        ConfigurationError: ``--search`` names what does not exist, or asks for values outside the schema; with every
            problem. An empty space is no error here: the policy decides what it means.
    """
    return _Builder(skill, schema, spec, request or SpaceRequest()).build()


def run_lengths(skill: Skill, spec: Spec, request: SpaceRequest) -> dict[str, int]:
    """Return how long a run of the spec is: ``epoch``, and ``step`` where the number of samples is known."""
    epochs, batch = (
        next((number for key in keys if (number := spec.count(key)) is not None), None)
        for keys in (skill.keys.epochs, skill.keys.batch_size)
    )
    if epochs is None:
        return {}
    if batch is None or not request.sample_count:
        return {"epoch": epochs}
    steps = epochs * math.ceil(request.sample_count / (batch * max(request.devices, 1)))
    return {"epoch": epochs, "step": steps}


def suggest_candidates(skill: Skill, schema: TrainSchema, spec: Spec, *, limit: int = 5) -> tuple[str, ...]:
    """Return items for ``--search`` where a skill's own space is empty: rates, then batch sizes, then other numbers.

    Args:
        skill: The skill.
        schema: Its train schema.
        spec: The merged spec.
        limit: At most this many.
    """
    found: list[str] = []
    for pattern in _SUGGESTED_BLOCKS:
        try:
            found += build_space(skill, schema, spec, SpaceRequest(search=(pattern,))).paths
        except ConfigurationError:
            continue
    computed = [
        f"{path}=low..high"
        for path in schema.leaves
        if spec.has(path) and is_rate(path.rpartition(".")[0]) and "${" in str(spec.get(path))
    ]
    is_float = {path for path, leaf in schema.leaves.items() if leaf.kind is LeafKind.FLOAT}
    ranked = sorted(found, key=lambda path: (not (is_rate(path) and path in is_float), not is_batch_size(path)))
    return tuple([*computed, *ranked][:limit])


class _Builder:
    def __init__(self, skill: Skill, schema: TrainSchema, spec: Spec, request: SpaceRequest) -> None:
        self._request = request
        self._left_out: dict[str, str] = {}
        spec_leaves = [path for path, _ in iterate_leaves(spec.values)]
        known = list(dict.fromkeys([*schema.leaves, *spec_leaves]))
        aliases = {alias: path for alias, path in skill.shorthand_keys.items() if alias not in known}
        self._selection, problems = read_selection(request.search, known=known, aliases=aliases)
        self._problems = list(problems)
        self._facts = Facts(
            skill=skill,
            schema=schema,
            spec=spec,
            wanted=_wanted(self._selection, schema),
            is_narrowed=not self._selection.is_default and not self._selection.is_all,
            pinned=request.pinned,
            effective=effective_parameters(skill, schema),
            metric=request.metric or usual_metric(skill) or "",
            lengths=run_lengths(skill, spec, request),
        )

    def build(self) -> SearchSpace:
        parameters = {path: made for path in self._candidates() if (made := self._parameter(path)) is not None}
        bound = self._settle(parameters)
        if self._problems:
            raise ConfigurationError.from_problems(self._problems, subject="the search space")
        if self._selection.is_default and all(is_batch_size(path) for path in bound.parameters):
            for path in bound.parameters:
                reason = "throughput only: nothing but the batch size would be searched"
                self._left_out[path] = f"{reason}; --search {path} searches it"
            bound = replace(bound, parameters={}, relations=())
        return SearchSpace(
            parameters=tuple(bound.parameters.values()),
            left_out=self._sorted_left_out(),
            relations=bound.relations,
            fixed=bound.fixed,
        )

    def _sorted_left_out(self) -> tuple[LeftOut, ...]:
        """Return what is left out, parameters that the skill marks first: users expect those in the space."""
        schema = self._facts.schema
        marked = {*schema.flagged, *schema.curated}
        listed = sorted(self._left_out.items(), key=lambda item: item[0] not in marked)
        return tuple(LeftOut(path=path, reason=reason) for path, reason in listed)

    def _candidates(self) -> list[str]:
        """Return the paths that no rule leaves out, in the order of the schema."""
        candidates = []
        for path in dict.fromkeys([*self._facts.schema.leaves, *self._selection.exact]):
            reason = left_out_by(path, self._facts, is_named=path in self._selection.exact)
            if reason:
                self._leave_out(path, reason)
            else:
                candidates.append(path)
        return candidates

    def _parameter(self, path: str) -> Parameter | None:
        """Return the parameter with its range, or None if it has none (which is then noted)."""
        leaf, value = self._leaf(path), self._facts.spec.get(path)
        asked = self._selection.ranges.get(path)
        if asked is not None:
            problems = check_user_range(leaf, asked, value)
            self._problems += problems
            if problems:
                return None
        if asked is None and isinstance(value, str) and "${" in value and leaf.kind in _NUMBERS:
            self._leave_out(path, f"its value is computed by the trainer; give a range, {path}=low..high")
            return None
        try:
            made = make_parameter(leaf, value, asked=asked, cap=self._cap(path))
        except (RangeError, ValueError) as error:
            self._leave_out(path, str(error))
            return None
        return self._pinned(made, asked)

    def _pinned(self, made: Parameter, asked: UserRange | None) -> Parameter | None:
        if made.size != 1:
            return made
        only = made.choices[0] if made.choices else made.from_unit(0.0)
        if asked is not None:
            # low == high pins the value, for trial 0 too.
            return replace(made, default=only, reason=f"pinned to {only!r} by the user")
        if only == made.default:
            self._leave_out(made.path, f"its schema leaves one value, {only!r}")
            return None
        return made

    def _leaf(self, path: str) -> SchemaLeaf:
        """Return the schema's leaf, or one made from the spec's value for elements of lists and unlisted keys."""
        known = self._facts.schema.leaves.get(path)
        leaf = known if known is not None else SchemaLeaf(path=path, kind=kind_of_value(self._facts.spec.get(path)))
        extra = [text for pattern, text in self._facts.rules.math_cond.items() if matches(path, (pattern,))]
        leaf = replace(leaf, parents=tuple(self._parent(path, parent) for parent in leaf.parents))
        if not extra:
            return leaf
        own = leaf.math_cond.text if leaf.math_cond is not None else ""
        condition = parse_math_cond(" ".join([own, *extra]), has_parent=bool(leaf.parents))
        return replace(leaf, math_cond=condition if condition is not None else leaf.math_cond)

    def _parent(self, path: str, parent: str) -> str:
        """Return a parent's full path; authors sometimes write only its name beside the child."""
        beside = f"{path.rpartition('.')[0]}.{parent}"
        is_known = parent in self._facts.schema.leaves or self._facts.spec.has(parent)
        return parent if is_known or beside not in self._facts.schema.leaves else beside

    def _cap(self, path: str) -> float | None:
        if self._request.sample_count is None or not is_batch_size(path):
            return None
        return max(self._request.sample_count // max(self._request.devices, 1), 1)

    def _settle(self, parameters: dict[str, Parameter]) -> Bound:
        """Drop what cannot act or has no value left, until nothing more is dropped."""
        while True:
            kept = self._with_conditions(parameters)
            relations = [
                relation
                for path in kept
                if (leaf := self._leaf(path)).parents or leaf.math_cond is not None
                for relation in relations_of(path, leaf.math_cond, leaf.parents)
            ]
            bound = bind(kept, relations, self._facts.spec)
            for dropped in bound.left_out:
                self._leave_out(dropped.path, dropped.reason)
            if len(bound.parameters) == len(parameters):
                return bound
            parameters = {path: made for path, made in parameters.items() if path in bound.parameters}

    def _with_conditions(self, parameters: dict[str, Parameter]) -> dict[str, Parameter]:
        kept = {}
        for path, made in parameters.items():
            condition, inactive = activity(path, self._facts, [other for other in parameters if other != path])
            if inactive:
                self._leave_out(path, inactive)
            else:
                kept[path] = replace(made, condition=condition)
        return kept

    def _leave_out(self, path: str, reason: str) -> None:
        """Note why a parameter is out; for one that the user named that is a problem."""
        if path not in self._selection.exact:
            self._left_out[path] = reason
            return
        problem = Problem(
            where=f"--search {path}",
            found=f"a parameter that cannot be searched: {reason}",
            expected="a parameter with a range that acts here",
            fix="remove it from --search, or change the spec",
        )
        self._problems.append(problem)


def _wanted(selection: Selection, schema: TrainSchema) -> set[str]:
    matched = {path for path in selection.matched if path in schema.leaves and schema.leaves[path].kind in _SEARCHED}
    default = (schema.curated or schema.flagged) if selection.is_default else ()
    every = (*schema.flagged, *schema.curated) if selection.is_all else ()
    return {*matched, *default, *every}
