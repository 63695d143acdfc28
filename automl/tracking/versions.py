"""What a study ran with: versions of packages and of Python, the git revision, and its data."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.study.model import StudyPlan

# Annotation files are small; an archive of images would be read for minutes before the first trial.
_HASHED_BYTES = 256 * 1024 * 1024
# Listing 10 000 folders takes about a second on a local disk.
_LISTED_FOLDERS = 10_000
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
    """Return input of the training -> ``sha256:<digest> <path>``; of unreadable and of very large files the path alone.

    The digest of a folder is that of the names in it, ``names:<digest> <path>``: two kinds of content under the same
    names have one digest.
    """
    action = plan.skill.actions.get(plan.action)
    slots = action.inputs if action is not None else ()
    named = {slot.key: plan.spec.get(slot.key) for slot in slots if plan.spec.has(slot.key)}
    return {key: _fingerprint(Path(value)) for key, value in named.items() if isinstance(value, str) and value}


def _fingerprint(file: Path) -> str:
    with contextlib.suppress(OSError):  # the trials will say what is wrong with it
        if file.is_file() and file.stat().st_size <= _HASHED_BYTES:
            with file.open("rb") as stream:
                return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()} {file}"
        if file.is_dir():
            names = "/".join(_names(file)).encode(errors="surrogateescape")
            return f"names:{hashlib.sha256(names).hexdigest()} {file}"
    return str(file)


def _names(folder: Path) -> Iterator[str]:
    """Yield the names of the files in a folder, always in the same order."""
    for _, folders, names in islice(os.walk(folder), _LISTED_FOLDERS):
        folders.sort()  # in place: `os.walk` goes on with it
        yield from sorted(names)


def git_revision(folder: Path) -> str | None:
    """Return the revision of the work tree that a folder lies in; None outside of one or without git."""
    git = shutil.which("git")
    if git is None or not folder.is_dir():
        return None
    command = [git, "-C", str(folder), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603 # no shell
    return answer.stdout.strip() or None if answer.returncode == 0 else None
