"""Sample 2,000 assignments from the space of each package and look for what no expert would sign.

``python -m benchmarks.search_space.draws BANK`` prints a line for each package: how many parameters, and everything
that is wrong: an assignment that is not valid, a continuous parameter of which more than 5 % of the draws lie within
1 % of an edge (of its range, or of what a relation allows), a parameter of the evaluation, a count beyond the run.
"""

from __future__ import annotations

import random
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl.skill.load import load_skill
from automl.space.build import SpaceRequest, build_space, run_lengths
from automl.space.conditions import RelationKind
from automl.spec.build import build_spec
from automl.spec.train_schema import read_train_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from automl.space.parameters import Parameter
    from automl.space.search_space import SearchSpace
    from automl.space.values import Scalar

DRAWS = 2000
_EDGE, _MOST_AT_EDGE, _FEWEST = 0.01, 0.05, 200
_EVALUATION = re.compile(
    r"(^|[._])(val|valid|validation|eval|evaluate|test|infer|inference|nms|topk|num_select|score_thr\w*|conf_thr\w*)([._]|$)"
)
_SCHEDULE = re.compile(r"(rate|decay|momentum|temperature)\.val_(base|final|start)$|clip_val$")
_TRAINING = re.compile(r"(^|[._])(rpn|proposals?|assigner|matcher|pseudo\w*|experts?|moe)([._]|$)")
_STEPS = re.compile(r"iter|step(?!_size)")
_LENGTH = re.compile(r"(^|\.)(num_|max_|n_|total_|train_)*epochs$")
_EPOCHS = re.compile(r"(warmup|warm_up|freeze|patience|step_size)\w*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A package, ready to be drawn from; ``epochs`` is the length of its run."""

    name: str
    space: SearchSpace
    epochs: int | None


def read_case(folder: Path, search: Sequence[str] = ()) -> Case:
    """Build the space of a package."""
    skill = load_skill(folder)
    schema = read_train_schema(skill.schemas["train"])
    spec = build_spec(skill, "train", schema=schema)
    request = SpaceRequest(search=search)
    space = build_space(skill, schema, spec, request)
    return Case(name=folder.name, space=space, epochs=run_lengths(skill, spec, request).get("epoch"))


def complaints(case: Case, draws: int = DRAWS) -> list[str]:
    """Return what is wrong with the draws from a space; each thing once."""
    generator, space = random.Random(0), case.space  # noqa: S311 # a seed, not a secret
    drawn = [space.from_unit({path: generator.random() for path in space.paths}) for _ in range(draws)]
    found = [f"{path} is of the evaluation" for path in space.paths if _is_evaluation(path)]
    for values in drawn:
        found += [f"not valid: {violation}" for violation in space.violations(values)]
        found += _too_long(case, values)
    for parameter in space.parameters:
        found += _at_edges(space, parameter, drawn)
    return list(dict.fromkeys(found))


def _is_evaluation(path: str) -> bool:
    is_named = _EVALUATION.search(path.lower()) is not None
    return is_named and _SCHEDULE.search(path.lower()) is None and _TRAINING.search(path.lower()) is None


def _too_long(case: Case, values: Mapping[str, Scalar]) -> Iterator[str]:
    epochs = next((values[path] for path in values if _LENGTH.search(path)), case.epochs)
    counts = {path: values[path] for path in values if _EPOCHS.search(path) and not _STEPS.search(path)}
    for path in [path for path in counts if "epoch" not in path and _first(case, path) > (case.epochs or 0)]:
        del counts[path]  # it counts steps
    for path, value in counts.items():
        if isinstance(value, int) and isinstance(epochs, int) and epochs <= value <= 4 * epochs:
            yield f"{path} can end after the run"


def _first(case: Case, path: str) -> float:
    default = case.space[path].default
    return default if isinstance(default, int | float) else 0


def _at_edges(space: SearchSpace, parameter: Parameter, drawn: Sequence[Mapping[str, Scalar]]) -> Iterator[str]:
    """Yield the edges of a continuous parameter at which values gather."""
    if parameter.size != float("inf"):
        return
    values = [(known[parameter.path], known) for known in drawn if parameter.path in known]
    places = [(parameter.range_position(value), known) for value, known in values]
    inside = [(place, known) for place, known in places if place is not None]
    if len(inside) < _FEWEST:
        return
    low = sum(place <= _EDGE for place, _ in inside) / len(inside)
    high = sum(place >= 1 - _EDGE for place, _ in inside) / len(inside)
    yield from (
        f"{parameter.path}: {share:.0%} at its {end} end"
        for end, share in (("lower", low), ("upper", high))
        if share > _MOST_AT_EDGE
    )
    for relation in space.relations:
        if relation.path == parameter.path and relation.kind is not RelationKind.DERIVED_QUOTIENT:
            others = [(place, relation.other_side({**space.fixed, **known})) for place, known in inside]
            near = sum(other is not None and abs(place - _place(parameter, other)) <= _EDGE for place, other in others)
            # A parent near the end leaves its child no more than that.
            if near / len(inside) > 2 * _MOST_AT_EDGE:
                yield f"{relation}: {near / len(inside):.0%} at the edge"


def _place(parameter: Parameter, value: float) -> float:
    place = parameter.range_position(value)
    return place if place is not None else 2.0


def main(arguments: list[str]) -> None:
    """Print a line for each package of a bank, twice where everything that is marked is another space."""
    for info in sorted(Path(arguments[0]).glob("*/references/skill_info.yaml")):
        folder = info.parents[1]
        if not (folder / "schemas/train.schema.json").exists():
            continue
        for search in ((), ("all",), ("recommended",)):
            case = read_case(folder, search)
            wrong = complaints(case)
            shown = "; ".join(wrong) or "nothing wrong"
            print(f"{case.name} {' '.join(search) or 'default'}: {len(case.space.parameters)} parameters, {shown}")


if __name__ == "__main__":
    main(sys.argv[1:])
