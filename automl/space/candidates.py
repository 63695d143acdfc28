"""What ``--search`` could name when a skill's own space is empty: parameters likely to matter, with a usable range."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.errors import ConfigurationError
from automl.space.build import SpaceRequest, build_space
from automl.space.ranges import is_batch_size, is_rate
from automl.spec.train_schema import LeafKind

if TYPE_CHECKING:
    from automl.skill.model import Skill
    from automl.spec.model import Spec
    from automl.spec.train_schema import TrainSchema

_BLOCKS = ("train.*", "model.*", "dataset.*")


def suggest_candidates(skill: Skill, schema: TrainSchema, spec: Spec, *, limit: int = 5) -> tuple[str, ...]:
    """Return items for ``--search``: rates first, then batch sizes, then other numbers of the training.

    Args:
        skill: The skill.
        schema: Its train schema.
        spec: The merged spec.
        limit: At most this many.
    """
    found: list[str] = []
    for pattern in _BLOCKS:
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
