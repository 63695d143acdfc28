"""What a study ran with: versions of packages and of Python, the git revision, and its data."""

from __future__ import annotations

import contextlib
import getpass
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from automl.spec.model import iterate_leaves
from automl.tracking.data_fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.skill.model import JsonValue
    from automl.spec.model import Spec
    from automl.study.model import StudyPlan

_MOST_SOURCES = 100
_PACKAGES = ("automl-vision", "ray", "optuna", "mlflow", "torch", "lightning", "transformers")


def collect_environment(plan: StudyPlan) -> dict[str, str]:
    """Return ``version.<name>``, ``data.<input>`` and ``user`` -> text: what a study runs with, and for whom."""
    found = {"version": collect_versions(plan), "data": collect_data(plan)}
    texts = {f"{kind}.{name}": text for kind, texts in found.items() for name, text in texts.items()}
    with contextlib.suppress(OSError, KeyError):  # a user id without an account
        texts["user"] = getpass.getuser()
    return texts


def collect_versions(plan: StudyPlan) -> dict[str, str]:
    """Return name -> version of what runs the study; what is not installed is left out.

    ``git`` is the revision of the folder that holds this program, ``git.skill`` that of the skill; ``-dirty`` is added
    where tracked files were changed.
    """
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    for name, folder in (("git", Path(__file__).parent), ("git.skill", plan.skill.root)):
        if revision := git_revision(folder):
            found[name] = revision
    return found


def collect_data(plan: StudyPlan) -> dict[str, str]:
    """Return input of the training -> `fingerprint` of what it names."""
    action = plan.skill.actions.get(plan.action)
    slots = action.inputs if action is not None else ()
    named = [(key, plan.spec.get(key)) for slot in slots for key in _numbered(slot.key, plan.spec)]
    texts = dict(text for key, value in named for text in _texts(key, value)) or _existing(plan.spec)
    return {key: fingerprint(Path(text)) for key, text in texts.items()}


def _texts(key: str, value: JsonValue) -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and value:
        yield key, value
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _texts(f"{key}[{index}]", one)


def _numbered(key: str, spec: Spec) -> Iterator[str]:
    """Yield the key, and what the spec has after the first of a list: also ``x[1].file`` for ``x[0].file``."""
    for index in range(1 if "[0]" not in key else _MOST_SOURCES):
        if not spec.has(found := key.replace("[0]", f"[{index}]")):
            return
        yield found


def _existing(spec: Spec) -> dict[str, str]:
    """Return the paths in the spec of a skill that declares none: those of files and folders that exist."""
    leaves = iterate_leaves(spec.values)
    return {key: text for key, text in leaves if isinstance(text, str) and text[:1] == "/" and Path(text).exists()}


def git_revision(folder: Path) -> str | None:
    """Return the revision of the work tree that a folder lies in; None outside of one, and where git fails."""
    git = shutil.which("git")
    if git is None or not folder.is_dir():
        return None
    command = [git, "-C", str(folder), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603 # no shell
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None
