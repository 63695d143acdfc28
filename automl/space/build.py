"""Build the search space of a skill: which parameters, in which ranges, and why every other one is left out.

The curated list of the schema is the space, else its flags; ``--search`` narrows or widens it. Each candidate then has
to pass the rules of `automl.space.reasons`, get a range from `automl.space.ranges` and fit the values of its parents
(`automl.space.relations`). The result is pure data.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from automl.architectures.model import matches
from automl.errors import ConfigurationError, Problem
from automl.shown_command import shown
from automl.skill.fields import is_number
from automl.skill.objective import usual_metric
from automl.space.activity import activity, run_length
from automl.space.conditions import Condition, Relation, RelationKind
from automl.space.derived import UserRange, family_of
from automl.space.pairs import apart, pairs
from automl.space.ranges import make_parameter, schema_interval
from automl.space.reasons import Facts, effective_parameters, left_out_by
from automl.space.relations import MIRRORED, bind, relations_of
from automl.space.search_space import LeftOut, SearchSpace
from automl.space.selection import Selection, check_user_range, read_selection
from automl.space.unlisted import kind_of_range, plain
from automl.space.values import is_same
from automl.spec.computed import computed_number
from automl.spec.math_cond import parse_math_cond
from automl.spec.model import iterate_leaves
from automl.spec.train_schema import LeafKind, SchemaLeaf, kind_of_value
from automl.spec.typed import typed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from automl.skill.model import JsonValue, Skill
    from automl.space.parameters import Parameter
    from automl.space.values import Scalar
    from automl.spec.model import Spec
    from automl.spec.train_schema import TrainSchema

BATCH_SIZE = "batch size"
"""The family of batch sizes in `automl/architectures/any.yaml`."""
_NUMBERS = {LeafKind.FLOAT, LeafKind.INT}
_SEARCHED = {*_NUMBERS, LeafKind.BOOL, LeafKind.CATEGORICAL}
RECOMMENDED = "recommended"
"""The item of ``--search`` that asks for what an expert would search of any model."""
_RECOMMENDED = 8
# A space with fewer parameters gets proposals.
_FEW = 2


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
    """Build the space; the values of the merged spec are trial 0.

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


def suggest_candidates(
    skill: Skill, schema: TrainSchema, spec: Spec, request: SpaceRequest | None = None
) -> tuple[str, ...]:
    """Return items for ``--search`` that an expert would write where a skill's own space has little or nothing."""
    request = replace(request or SpaceRequest(), search=(RECOMMENDED,))
    try:
        space = build_space(skill, schema, spec, request)
    except ConfigurationError:
        return ()
    computed = {
        p.path: f"{p.path}={p.low:.2g}..{p.high:.2g}:log"
        for p in space.parameters
        if isinstance(p.default, str) and not p.choices
    }
    ranks = _ranks(skill, schema, spec)
    ordered = sorted(space.paths, key=lambda path: ranks.get(path, math.inf))
    return tuple(computed.get(path, path) for path in ordered)


class _Builder:
    def __init__(self, skill: Skill, schema: TrainSchema, spec: Spec, request: SpaceRequest) -> None:
        self._request = request
        self._left_out: dict[str, str] = {}
        known = dict.fromkeys([*schema.leaves, *(path for path, _ in iterate_leaves(spec.values))])
        aliases = {alias: path for alias, path in skill.shorthand_keys.items() if alias not in known}
        self._aliases = aliases
        self._selection, problems = read_selection(request.search, known=known, aliases=aliases, is_open=skill.is_open)
        self._problems = list(problems)
        self._ranks = _ranks(skill, schema, spec) if self._selection.is_recommended else {}
        self._selection.matched += self._ranks
        self._selection.ranges = {**_computed_ranges(self._ranks, schema, spec), **self._selection.ranges}
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
        made = {path: self._parameter(path) for path in self._recommended(self._candidates())}
        noted = {path: self._noted(parameter) for path, parameter in made.items() if parameter is not None}
        space = self._settled(noted)
        if self._problems:
            raise ConfigurationError.from_problems(self._problems, subject="the search space")
        if self._selection.is_default and all(map(self._is_batch_size, space.paths)):
            for path in space.paths:
                reason = "throughput only: nothing but the batch size would be searched"
                self._left_out[path] = f"{reason}; {shown('--search', path)} searches it"
            space = replace(space, parameters=(), relations=())
        if self._selection.is_default and len(space.parameters) < _FEW:
            proposed = suggest_candidates(
                self._facts.skill, self._facts.schema, self._facts.spec, replace(self._request, search=())
            )
            space = replace(space, proposed=tuple(item for item in proposed if item not in space.paths))
        # Users expect in the space what the skill marks: that comes first.
        marked = {*self._facts.schema.flagged, *self._facts.schema.curated}
        left_out = [LeftOut(path=path, reason=reason) for path, reason in self._left_out.items()]
        return replace(space, left_out=tuple(sorted(left_out, key=lambda item: item.path not in marked)))

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

    def _recommended(self, candidates: list[str]) -> list[str]:
        """Return the candidates without those that come last in what is recommended, where there are many."""
        active = [path for path in candidates if path in self._ranks and not activity(path, self._facts, candidates)[1]]
        kept = sorted(active, key=self._ranks.__getitem__)[:_RECOMMENDED]
        late = {path for path in self._ranks if path not in kept and path not in self._selection.exact}
        if self._selection.is_default or self._selection.is_all:
            late -= {*self._facts.schema.flagged, *self._facts.schema.curated}
        for path in late & set(candidates):
            self._leave_out(path, f"not among the first {_RECOMMENDED} of what is recommended")
        return [path for path in candidates if path not in late]

    def _parameter(self, path: str) -> Parameter | None:
        """Return the parameter with its range, or None if it has none (which is then noted)."""
        leaf, value = self._leaf(path), self._facts.spec.get(path)
        asked = self._selection.ranges.get(path)
        if asked is not None:
            asked = replace(asked, choices=self._options_of(path, asked.choices, leaf))
            problems = check_user_range(leaf, asked, value)
            if problems:
                self._problems += problems
                return None
        elif isinstance(value, str) and "${" in value and leaf.kind in _NUMBERS:
            self._leave_out(path, f"its value is computed by the trainer; give a range, {path}=low..high")
            return None
        cap = None
        family = family_of(self._facts.rules.families, leaf, value)
        if self._request.sample_count is not None and family.name == BATCH_SIZE:
            cap = max(self._request.sample_count // max(self._request.devices, 1), 1)
        try:
            made = make_parameter(leaf, value, asked=asked, cap=cap, family=family)
        except ValueError as error:
            self._leave_out(path, str(error))
            return None
        only = made.from_unit(0.0)
        if made.size == 1 and asked is not None:
            # low == high pins the value, for trial 0 too.
            return replace(made, default=only, reason=f"fixed at {only!r} by --search: one value, no search")
        if made.size == 1 and only == made.default:
            self._leave_out(path, f"its schema leaves one value, {only!r}")
            return None
        return made

    def _is_batch_size(self, path: str) -> bool:
        return family_of(self._facts.rules.families, self._leaf(path), self._facts.spec.get(path)).name == BATCH_SIZE

    def _leaf(self, path: str) -> SchemaLeaf:
        """Return the schema's leaf, or one made from the spec's value for elements of lists and unlisted keys."""
        leaves, spec = self._facts.schema.leaves, self._facts.spec
        leaf = leaves[path] if path in leaves else SchemaLeaf(path=path, kind=self._kind(path))
        parents = []
        for parent in leaf.parents:
            # Authors sometimes write only the name of a parent beside the child.
            beside = f"{path.rpartition('.')[0]}.{parent}"
            is_beside = parent not in leaves and not spec.has(parent) and beside in leaves
            parents.append(beside if is_beside else parent)
        condition = leaf.math_cond
        extra = [text for pattern, text in self._facts.rules.math_cond.items() if matches(path, (pattern,))]
        if extra:
            own = condition.text if condition is not None else ""
            condition = parse_math_cond(" ".join([own, *extra]), has_parent=bool(parents)) or condition
        return replace(leaf, parents=tuple(parents), math_cond=condition)

    def _settled(self, parameters: dict[str, Parameter]) -> SearchSpace:
        """Drop what cannot act or has no value left, until nothing more is dropped."""
        while True:
            kept, others = {}, set(parameters)
            for path, made in parameters.items():
                others.remove(path)
                condition, inactive = self._activity(path, others)
                others.add(path)
                if inactive:
                    self._leave_out(path, inactive)
                else:
                    kept[path] = replace(made, condition=condition)
            leaves = [self._leaf(path) for path in kept]
            relations = (relations_of(leaf.path, leaf.math_cond, leaf.parents) for leaf in leaves)
            lengths = filter(None, map(self._within_run, kept))
            bound = [*itertools.chain.from_iterable(relations), *lengths, *self._from_fixed_children(kept)]
            by_name = list(pairs(kept, self._facts, bound))
            kept = apart(kept, by_name, self._selection.ranges)
            space = bind(kept, [*bound, *by_name], self._facts.spec)
            for dropped in space.left_out:
                self._leave_out(dropped.path, dropped.reason)
            if len(space.parameters) == len(parameters):
                return space
            parameters = {path: made for path, made in parameters.items() if path in space.paths}

    def _from_fixed_children(self, kept: Mapping[str, Parameter]) -> Iterator[Relation]:
        """Yield what children that are not searched ask of their parents.

        A bare ``depends_on``, which may mean something else, only where the spec's own values keep it.
        """
        spec = self._facts.spec
        for path, leaf in self._facts.schema.leaves.items():
            condition = leaf.math_cond
            if path in kept or not leaf.parents or condition is None or not spec.has(path):
                continue
            value, is_said = spec.get(path), "depends_on" in condition.text
            for relation in relations_of(path, condition, self._leaf(path).parents):
                parent = kept.get(relation.parent or "")
                if parent is None or not is_number(parent.default) or relation.kind not in MIRRORED:
                    continue
                if is_said or (is_number(value) and value <= parent.default):
                    yield Relation(path=parent.path, kind=MIRRORED[relation.kind], parent=path)

    def _within_run(self, path: str) -> Relation | None:
        """Return the relation that keeps a count of epochs or steps below the length of the run."""
        end = run_length(path, self._facts)
        # A schema's real number beside a count is a fraction of the run, whatever the spec's value is.
        if end is None or path in self._selection.ranges or self._leaf(path).kind is LeafKind.FLOAT:
            return None
        key, length = end
        constant = 0.0 if key else length
        return Relation(path=path, kind=RelationKind.LESS, parent=key, constant=constant, is_for_first=False)

    def _noted(self, made: Parameter) -> Parameter:
        """Return the parameter of an open skill with where the value of trial 0 comes from."""
        origin = self._facts.spec.origins.get(made.path)
        return replace(made, reason=f"{made.reason}; trial 0: {origin}") if self._facts.skill.is_open else made

    def _kind(self, path: str) -> LeafKind:
        """Return the type of a parameter without a schema: that of its value, of an open skill that of its range."""
        value, asked = self._facts.spec.get(path), self._selection.ranges.get(path)
        if asked is None or not self._facts.skill.is_open:
            return kind_of_value(value)
        return kind_of_range(plain(asked, self._sample(path)), value)

    def _sample(self, path: str) -> JsonValue:
        """Return the value whose type the options of a parameter have: a command line has texts, a function values."""
        is_known = self._facts.spec.has(path) and not self._facts.skill.is_function
        return self._facts.spec.get(path) if is_known else None

    def _activity(self, path: str, searched: Collection[str]) -> tuple[Condition | None, str]:
        """Tell when a parameter acts, what the user says of it included; of an open skill nothing else is known."""
        is_known = not self._facts.skill.is_open
        condition, inactive = activity(path, self._facts, searched) if is_known else (None, "")
        conditions = [] if condition is None else [condition]
        asked = self._selection.ranges.get(path)
        for name, spelled in asked.when if asked is not None and not inactive else ():
            parent = self._aliases.get(name, name)
            values = self._options_of(parent, spelled, self._facts.schema.leaves.get(parent))
            if parent in searched:
                conditions.append(Condition(path=parent, any_of=values))
            elif not self._facts.spec.has(parent):
                return None, f"its condition names {parent}, which neither the search nor the spec has"
            elif not any(is_same(self._facts.spec.get(parent), value) for value in values):  # type: ignore[arg-type] # only compared
                return None, f"inactive: {parent} is {self._facts.spec.get(parent)}"
        if inactive or not conditions:
            return None, inactive
        return replace(conditions[0], also=(*conditions[0].also, *conditions[1:])), ""

    def _options_of(self, path: str, spelled: tuple[Scalar, ...], leaf: SchemaLeaf | None) -> tuple[Scalar, ...]:
        """Return options, or the values of a condition, with the type of the parameter."""
        found = [typed(value, leaf, self._sample(path)) for value in spelled]
        plain_ones = [value for value in found if not isinstance(value, dict | list)]
        return tuple({(type(value), value): value for value in plain_ones}.values())

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


def _ranks(skill: Skill, schema: TrainSchema, spec: Spec) -> dict[str, int]:
    """Return the parameters that an expert would search of any model, with their places."""
    families = skill.architecture.parameters.families
    known = [(path, leaf) for path, leaf in schema.leaves.items() if leaf.kind in _NUMBERS and spec.has(path)]
    ranks = ((path, family_of(families, leaf, spec.get(path)).rank) for path, leaf in known)
    return {path: rank for path, rank in ranks if rank is not None}


def _computed_ranges(paths: Collection[str], schema: TrainSchema, spec: Spec) -> dict[str, UserRange]:
    """Return ranges for rates that the trainer computes, a hundredth to ten times what it will compute."""
    ranges = {}
    for path in paths:
        value = computed_number(spec.get(path), spec)
        interval = schema_interval(schema.leaves[path])
        if value is not None and value > 0:
            low, high = (float(f"{end:.2g}") for end in (value / 100, value * 10))
            ranges[path] = UserRange(low=max(low, interval.low), high=min(high, interval.high), log=True)
    return ranges


def _wanted(selection: Selection, schema: TrainSchema) -> set[str]:
    matched = {path for path in selection.matched if path in schema.leaves and schema.leaves[path].kind in _SEARCHED}
    default = (schema.curated or schema.flagged) if selection.is_default else ()
    every = (*schema.flagged, *schema.curated) if selection.is_all else ()
    return {*matched, *default, *every}
