"""Damage a finished study at random, one file at a time: each damage is refused with the file's name, or harmless.

    python -m benchmarks.orchestration.damage [--cases 500] [--seed 0]

Each case copies a study of the toy skill, damages one of its files (every kind of file as often as any other) and reads
the copy by everything that reads a study: the document of `status`, the inventory of `clean`, the best checkpoint, what
`sync` would send, and a resume up to where it would start something. A refusal must name the file, and nothing may have
been written then; without a refusal each reader must find what it finds in the undamaged study, but for a notice that
names the file.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from mlflow.exceptions import MlflowException

from automl.errors import AutomlError, NothingToRunError
from automl.handoff.best import read_best
from automl.handoff.cleaning import take_inventory
from automl.handoff.integrity import require_sound
from automl.resume import resume_study
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan
from automl.storage.study_directory import read_results
from automl.storage.study_document import study_document
from automl.tracking.mlflow.files import content_of
from automl.tracking.mlflow.folder import MlflowFolder
from automl.tracking.mlflow.uploads import files_of, trial_files

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_BLOCK = 200
_SHOWN = 300


def make_study(results: Path) -> Path:
    """Run a study of three trials and return its directory."""
    command = [sys.executable, "-m", "automl.cli.app", "run", "toy/quick", "--yes", "--trials", "3"]
    environment = {**os.environ, "AUTOML_RESULTS": str(results), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return results / "toy-quick"


def damage(content: bytes, kind: str, source: random.Random) -> bytes:
    """Return the content of a file, which is not empty, with one damage."""
    at, length = source.randrange(len(content)), source.randint(1, _LONGEST_BLOCK)
    head, block, tail = content[:at], content[at : at + length], content[at + length :]
    lines = content.splitlines(keepends=True)
    line = source.randrange(len(lines))
    return {
        "bit": head + bytes([content[at] ^ (1 << source.randrange(8))]) + content[at + 1 :],
        "byte": head + source.randbytes(1) + content[at + 1 :],
        "zeros": head + bytes(len(block)) + tail,
        "noise": head + source.randbytes(len(block)) + tail,
        "cut out": head + tail,
        "cut off": head,
        "line gone": b"".join([*lines[:line], *lines[line + 1 :]]),
        "line twice": b"".join([*lines[: line + 1], *lines[line:]]),
    }[kind]


KINDS = ("bit", "byte", "zeros", "noise", "cut out", "cut off", "line gone", "line twice")


def kind_of(file: Path, root: Path) -> str:
    """Return the kind of a file: its path without numbers."""
    return re.sub(r"[0-9a-f]{12}|\d+", "N", str(file.relative_to(root)))


def _without_ends(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the last lines of the log say: a study without them looks as if it was killed, and is resumed."""
    kept = {name: value for name, value in document.items() if name not in {"study_dir", "state", "end_reason"}}
    return {**kept, "mlflow": {**document["mlflow"], "tracking_uri": ""}}  # a store beside the copy


def _left_alone(root: Path) -> list[str]:
    """Return what would be deleted."""
    return [str(item.path.relative_to(root)) for item in take_inventory(root.parent).deletable]


def _sound(root: Path) -> None:
    require_sound(StudyPaths(root))
    MlflowFolder(StudyPaths(root)).load_state(read_plan(StudyPaths(root)).mlflow.tracking_uri)


def _resume(root: Path) -> None:
    with (
        mock.patch("automl.resume.run_in", side_effect=_StartedError),
        contextlib.suppress(_StartedError, NothingToRunError),
    ):
        resume_study(root)


class _StartedError(Exception):
    """The resume would start something."""


def _specs(root: Path) -> list[bytes]:
    """Return what would be stored of the trials' specs."""
    study = StudyPaths(root)
    uploads = [file for result in read_results(study) for file in files_of(trial_files(result), study)]
    try:
        return [content_of(upload, study) for upload in uploads if upload.data["sha256"]]
    except MlflowException as error:
        raise AutomlError(str(error)) from error


READERS: dict[str, Callable[[Path], Any]] = {
    "status": lambda root: _without_ends(study_document(root)),
    "clean": _left_alone,
    "best": read_best,
    "sync": _sound,
    "resume": _resume,
    "specs": _specs,
}


@cache
def _expected(study: Path, name: str) -> Any:  # noqa: ANN401 # what the reader returns
    return READERS[name](study)


def attack(study: Path, file: Path, content: bytes) -> str:
    """Change the content of a file in a copy of a study; return ``refused``, ``harmless``, or what went wrong."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / study.name
        shutil.copytree(study, root, symlinks=True)
        victim = root / file.relative_to(study)
        victim.write_bytes(content)
        before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
        is_refused = False
        for name, reader in READERS.items():
            try:
                found = reader(root)
            except AutomlError as error:
                is_refused = True
                if victim.name not in str(error):
                    return f"{name} does not name it: {error}"
            except Exception as error:  # noqa: BLE001 # a traceback is what is looked for
                return f"{name}: {type(error).__name__}: {error}"
            else:
                expected = _expected(study, name)
                is_said = _is_said(found, expected, victim)
                is_refused |= is_said
                if found != expected and not is_said and not (name == "clean" and found == []):
                    return f"{name} finds {str(found)[:_SHOWN]} instead of {str(expected)[:_SHOWN]}"
        if {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} != before:
            return "something was written"
        return "refused" if is_refused else "harmless"


def _is_said(found: Any, expected: Any, victim: Path) -> bool:  # noqa: ANN401 # what a reader returns
    """Tell whether a reader finds what is expected, but for a notice that names the damaged file."""
    if not (isinstance(found, dict) and isinstance(expected, dict) and found != expected):
        return False
    is_named = any(victim.name in str(notice) for notice in found.get("notices", ()))
    return is_named and {**found, "notices": None} == {**expected, "notices": None}


def files_by_kind(study: Path) -> dict[str, list[Path]]:
    """Return the files of a study that are not empty, by their kind."""
    files: dict[str, list[Path]] = {}
    for file in sorted(study.rglob("*")):
        if file.is_file() and not file.is_symlink() and file.stat().st_size:
            files.setdefault(kind_of(file, study), []).append(file)
    return files


def attack_all(study: Path, cases: int, seed: int) -> list[tuple[str, str, str]]:
    """Return kind of file, kind of damage and outcome of random cases."""
    source, files = random.Random(seed), files_by_kind(study)  # noqa: S311 # cases of a test
    rows = []
    for case in range(cases):
        name = sorted(files)[case % len(files)]
        kind = source.choice(KINDS)
        file = source.choice(files[name])
        rows.append((name, kind, attack(study, file, damage(file.read_bytes(), kind, source))))
    return rows


def main() -> int:
    """Print how many damages of each kind of file were refused or harmless, and every other outcome."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        rows = attack_all(make_study(Path(temporary)), options.cases, options.seed)
    counts = Counter((name, outcome) for name, _, outcome in rows)
    print("| file | damages | refused | harmless |\n|---|---|---|---|")
    for name in sorted({name for name, _, _ in rows}):
        refused, harmless = counts[name, "refused"], counts[name, "harmless"]
        print(f"| {name} | {sum(row[0] == name for row in rows)} | {refused} | {harmless} |")
    wrong = [row for row in rows if row[2] not in {"refused", "harmless"}]
    for row in wrong:
        print(*row, sep=" | ")
    print(f"{len(rows)} damages, {len(rows) - len(wrong)} refused with the file's name or harmless")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
