"""Attacks by another study: one of its files in the place of a study's own, or a link that leads into it.

The other study is the same one with other tokens and other numbers, so that everything of it fits. Its files are
refused by name, or make no difference; whatever command runs, nothing of it changes.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.storage.documents import read_lines, to_line, write_document
from automl.storage.own_documents import token_of
from automl.storage.paths import StudyPaths
from benchmarks.orchestration.attack_input import commands_on, tried
from benchmarks.orchestration.damage import attack, files_by_kind

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

_LINKED = ("actions", "best", "trials", "tracking", "tracking/mlflow", "best.json", "evaluations.json", "record.json")
_STATUSES = {0, 1, 2, 3, 4}
_OWN = {"has_check", "check", "of_study"}


def foreign(study: Path, source: random.Random, folder: Path) -> str:
    """Put a file of another study in the place of the study's own."""
    other = _other_study(study, folder)
    files = files_by_kind(other)
    file = source.choice(files[source.choice(sorted(files))]).relative_to(other)
    if not (study / file).is_file():
        return ""
    outcome = attack(study, study / file, (other / file).read_bytes())
    return "" if outcome in {"refused", "harmless"} else f"{file}: {outcome}"


def linked(study: Path, source: random.Random, folder: Path) -> str:
    """Put a link into another study in the place of a folder or a document, and run a command."""
    other = _other_study(study, folder)
    root = Path(shutil.copytree(study, folder / "results" / study.name, symlinks=True))
    for name in source.sample(_LINKED, source.randint(1, 2)):
        place = root / name
        if place.parent.is_symlink():
            continue
        if place.exists():
            place.rename(place.with_name(f"{place.name} aside"))
        place.symlink_to(other / name)
    before = _contents(other)
    command = source.choice([*commands_on(root, folder), ["export", str(root)], ["evaluate", str(root)]])
    problem = tried(command, source, folder, _STATUSES)
    changed = sorted(str(path.relative_to(other)) for path, _ in before ^ _contents(other))
    return problem or (f"{command[0]} changed {', '.join(changed)} of the other study" if changed else "")


def _other_study(study: Path, folder: Path) -> Path:
    """Copy a study with other tokens and other numbers, as another one with the same plan has them."""
    other = Path(shutil.copytree(study, folder / "other" / study.name, symlinks=True))
    token = token_of(StudyPaths(study))[::-1]
    for file in other.rglob("*.json"):
        if '"of_study"' in (text := file.read_text(encoding="utf-8")):
            kept = {name: value for name, value in json.loads(text).items() if name not in _OWN}
            write_document(file, _other(kept), dict[str, Any], token=token)
    log = StudyPaths(other).events_file
    lines = [to_line(_other(line)) for line, _ in read_lines(log)]
    log.write_text("".join(lines), encoding="utf-8")
    return other


def _other(value: Any, name: str = "") -> Any:  # noqa: ANN401 # JSON
    """Return JSON with other tokens, ids of runs and values of metrics."""
    if isinstance(value, dict):
        return {key: _other(child, key) for key, child in value.items()}
    if isinstance(value, float) and name in {"value", "val/r2", "elapsed_s"}:
        return value + 1.0
    return value[::-1] if isinstance(value, str) and name in {"token", "run_id"} else value


def _contents(root: Path) -> set[tuple[Path, bytes]]:
    return {(path, path.read_bytes() if path.is_file() else b"") for path in root.rglob("*")}


KINDS: dict[str, Callable[[Path, random.Random, Path], str]] = {
    "a file is another study's": foreign,
    "links lead into another study": linked,
}
