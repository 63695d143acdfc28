"""One problem of a spec, and the error that lists all of them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from depth_net.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SYNONYMS: Final = {
    "learning_rate": "lr",
    "epochs": "num_epochs",
    "max_epochs": "num_epochs",
    "scheduler": "lr_scheduler",
    "gpus": "num_gpus",
    "num_workers": "workers",
    "checkpoint_path": "checkpoint",
}
"""Names that other trainers use for these keys."""


@dataclass(frozen=True, slots=True)
class SpecProblem:
    """A key that cannot be used.

    Attributes:
        where: Dotted path of the key, or the override.
        found: What is there.
        expected: What would be accepted.
        fix: The one thing to do.
        is_value: The key is known and its value of the right type, but not among those accepted.
    """

    where: str
    found: str
    expected: str
    fix: str
    is_value: bool = False

    def __str__(self) -> str:
        return f"{self.where}\n  found     {self.found}\n  expected  {self.expected}\n  fix       {self.fix}"


def spec_error(problems: Sequence[SpecProblem], source: str) -> SpecError:
    """Return the error that lists all ``problems`` of the spec ``source``."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return SpecError("\n\n".join([f"{count} in the spec {source}", *map(str, problems)]))


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known dotted path that ``name`` probably means.

    A path with the same last part wins over one that merely looks alike, so ``train.lr`` finds ``train.optim.lr``.
    """
    group, dot, leaf = name.lower().rpartition(".")
    name, keys = f"{group}{dot}{_SYNONYMS.get(leaf, leaf)}", set(known)
    groups = {key.rsplit(".", depth)[0] for key in keys for depth in range(1, key.count(".") + 1)}
    candidates = sorted(keys | groups)
    last = name.rsplit(".", 1)[-1]
    same_leaf = [path for path in candidates if path.rsplit(".", 1)[-1] == last]
    near = difflib.get_close_matches(name, same_leaf or candidates, n=1, cutoff=0.3 if same_leaf else 0.75)
    if near:
        return near[0]
    parent = name.rpartition(".")[0]
    siblings = {path.rsplit(".", 1)[-1]: path for path in candidates if path.rpartition(".")[0] == parent}
    near = difflib.get_close_matches(last, siblings, n=1, cutoff=0.6)
    if near:
        return siblings[near[0]]
    leaves = {path.rsplit(".", 1)[-1]: path for path in reversed(candidates)}
    near = difflib.get_close_matches(last, leaves, n=1, cutoff=0.75)
    return leaves[near[0]] if near else None
