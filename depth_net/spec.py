"""Read a spec file and its overrides into the models of `depth_net.config`, or report every problem at once.

Heavy libraries are not imported here, so a mistake in a spec is reported immediately.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from depth_net.config.actions import ConvertConfig
from depth_net.config.checks import convert_problems, spec_problems
from depth_net.config.experiment import ExperimentConfig
from depth_net.config.problems import SpecProblem, spec_error
from depth_net.config.references import resolve_references
from depth_net.config.tree import apply_overrides, read_tree
from depth_net.config.validation import build
from depth_net.effective import ACTION_SECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from depth_net.config.fields import Section
    from depth_net.config.tree import Tree

_Kind = TypeVar("_Kind", bound="Section")


def load_spec(path: Path | str, overrides: Iterable[str] = (), *, action: str | None = None) -> ExperimentConfig:
    """Return the spec in ``path`` with ``overrides`` on top and every default filled in.

    Args:
        path: YAML file.
        overrides: ``key=value`` arguments; later ones win.
        action: Also check what this action needs, e.g. that its checkpoint is named, and leave the values of other
            actions' sections alone: a spec of the reference may ask ``quantize`` for what only the container has, and
            be good for ``train``. None checks each key alone.

    Raises:
        SpecError: the file cannot be read, or it has problems; the text lists all of them.
    """
    problems: list[SpecProblem] = []
    config = _load(ExperimentConfig, Path(path), overrides, problems)
    if action is not None:
        problems = [problem for problem in problems if not _concerns_another(problem, action)]
        known = {problem.where for problem in problems}
        problems += [problem for problem in spec_problems(config, action) if problem.where not in known]
    if problems:
        raise spec_error(problems, str(path))
    return config


def _concerns_another(problem: SpecProblem, action: str) -> bool:
    """Tell whether a problem is a value, of the right type, in the section of an action that will not run."""
    section, reader = problem.where.partition(".")[0], "train" if action == "check" else action
    return problem.is_value and section in ACTION_SECTIONS and section != reader


def load_convert_spec(path: Path | str, overrides: Iterable[str] = ()) -> ConvertConfig:
    """Return the spec of ``convert``, which has keys of its own at the root.

    Raises:
        SpecError: the file cannot be read, or it has problems; the text lists all of them.
    """
    problems: list[SpecProblem] = []
    config = _load(ConvertConfig, Path(path), overrides, problems)
    problems += convert_problems(config)
    if problems:
        raise spec_error(problems, str(path))
    return config


def preset_config(arguments: Iterable[str]) -> ConvertConfig:
    """Return the spec of ``convert`` for the arguments of a preset: the folder of the data, and ``key=value``.

    Lists go to ``lists``, and four fifths of the scenes are the training split, unless the arguments say otherwise.

    Raises:
        SpecError: no folder or several are named, or a key is unknown; the text lists all problems.
    """
    problems: list[SpecProblem] = []
    arguments = tuple(arguments)
    roots = [word for word in arguments if "=" not in word]
    tree: Tree = {"results_dir": "lists", "split_ratio": 0.8, "data_root": roots[0] if len(roots) == 1 else None}
    apply_overrides(tree, [word for word in arguments if "=" in word], problems)
    config = build(ConvertConfig, tree, problems)
    problems += convert_problems(config)
    if problems:
        raise spec_error(problems, "of convert --preset")
    return config


def read_results_folder(path: Path, overrides: Iterable[str], action: str) -> Path | None:
    """Return where ``action`` would write, without checks, so that a status file can be written for a wrong spec too.

    None where the spec names no folder.
    """
    tree = read_tree(path)
    apply_overrides(tree, overrides, [])
    group = tree.get(action)
    own = _as_folder(group.get("results_dir")) if isinstance(group, dict) else None
    root = _as_folder(tree.get("results_dir"))
    if own is not None or root is None:
        return own
    return root if action == "convert" else root / action


def _as_folder(value: object) -> Path | None:
    is_plain = isinstance(value, str | int | float) and "${" not in str(value)
    return Path(str(value)).expanduser() if is_plain and value not in ("", "???") else None


def _load(kind: type[_Kind], path: Path, overrides: Iterable[str], problems: list[SpecProblem]) -> _Kind:
    tree = read_tree(path)
    apply_overrides(tree, overrides, problems)
    return build(kind, resolve_references(tree, kind().to_tree(), problems), problems)
