"""Attack finished studies at random, each kind of attack again and again: what must not be deleted, followed or read.

    make attack           or: python -m benchmarks.orchestration.attack [--seconds 600] [--seed 0] [--json FILE]
    python -m benchmarks.orchestration.attack --only mutated --cases 2000

A case copies a study of the toy skill, does something to the copy, and says what went wrong; the same seed gives the
same cases. The time is shared evenly among the kinds; with ``--cases`` each has so many, however long they take.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from automl.executor.retention import retire_checkpoints
from automl.handoff.cleaning import discard, empty_trash, take_inventory
from automl.storage.deletion import delete
from automl.storage.owner import OwnerLock
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan
from automl.storage.study_directory import read_results
from benchmarks.orchestration import (
    attack_input,
    attack_lines,
    attack_other,
    attack_package,
    attack_storage,
    attack_trainer,
)
from benchmarks.orchestration.damage import KINDS as DAMAGES
from benchmarks.orchestration.damage import attack as change_file
from benchmarks.orchestration.damage import damage, files_by_kind, make_study

if TYPE_CHECKING:
    from collections.abc import Callable

_PLACED = "placed by a person"


def damaged(study: Path, source: random.Random, _: Path) -> str:
    """Damage one file: a refusal names it, or nothing changes."""
    files = files_by_kind(study)
    file = source.choice(files[source.choice(sorted(files))])
    outcome = change_file(study, file, damage(file.read_bytes(), source.choice(DAMAGES), source))
    return "" if outcome in {"refused", "harmless"} else f"{file.relative_to(study)}: {outcome}"


def hidden(study: Path, source: random.Random, folder: Path) -> str:
    """Hide parts of a study: `clean` does not take it for one that was never started."""
    root = _copied(study, folder)
    parts = ["trials", "best", "events.jsonl", "best.json", "journal.log", "best_spec.yaml"]
    chosen = source.sample(parts, source.randint(1, len(parts) - 1))
    for name in chosen:
        place = root / name
        is_folder = place.is_dir()
        place.rename(folder / name)
        match source.choice(["moved", "not mounted", "empty"]):
            case "not mounted":
                place.symlink_to("/storage/that/is/not/mounted")
            case "empty" if is_folder:
                place.mkdir()
            case _:
                pass
    before = _snapshot(root)
    gone = [item.path.name for item in take_inventory(root.parent).deletable if not discard(item, "now")]
    return "" if _snapshot(root) == before else f"without {', '.join(chosen)}: {', '.join(gone)} was moved"


def linked(study: Path, source: random.Random, folder: Path) -> str:
    """Put a link out of a study somewhere, with files that look like checkpoints behind it: they stay."""
    root, elsewhere = _copied(study, folder), folder / "elsewhere"
    places = [root, *(path for path in sorted(root.rglob("*")) if path.is_dir())]
    place = source.choice(places)
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    for below in [elsewhere, *(path for path in sorted(elsewhere.rglob("*")) if path.is_dir())]:
        for name in ("model_epoch_003_step_00240.pth", "model_epoch_099_step_99999.pth", "x.partial", ".y.new"):
            (below / f"{name}").write_text(_PLACED, encoding="utf-8")
    placed = {path for path in elsewhere.rglob("*") if path.is_file()}
    naming = read_plan(StudyPaths(root)).architecture().checkpoints
    retire_checkpoints(StudyPaths(root), read_results(StudyPaths(root)), naming, kept=set())
    if place == root:  # who names a link on the command line means what it leads to
        placed = set()
    for item in take_inventory(root.parent).deletable:
        discard(item, "now")
    empty_trash(take_inventory(root.parent))
    lost = sorted(path.name for path in placed if not path.exists())
    return f"{place.relative_to(root.parent)}: {', '.join(lost)} is gone" if lost else ""


def hard_linked(study: Path, source: random.Random, folder: Path) -> str:
    """Give a checkpoint a second name outside of the study: that one stays, with its content."""
    root, outside = _copied(study, folder), folder / "outside.pth"
    outside.write_text(_PLACED, encoding="utf-8")
    for attempt in StudyPaths(root).trials.iterdir():
        name = source.choice(["model_epoch_003_step_00240.pth", "model_epoch_099_step_99999.pth", "x.partial"])
        (attempt / name).unlink(missing_ok=True)
        (attempt / name).hardlink_to(outside)
    naming = read_plan(StudyPaths(root)).architecture().checkpoints
    retire_checkpoints(StudyPaths(root), read_results(StudyPaths(root)), naming, kept=set())
    for item in take_inventory(root.parent).deletable:
        discard(item, "now")
    empty_trash(take_inventory(root.parent))
    return "" if outside.is_file() and outside.read_text(encoding="utf-8") == _PLACED else "it is gone"


def running(study: Path, source: random.Random, folder: Path) -> str:
    """Start a study between the list of `clean` and its deletion: nothing of it is touched."""
    root = _copied(study, folder)
    attempt = source.choice([*StudyPaths(root).trials.iterdir()])
    left = attempt / ".model.part"
    left.write_text("half", encoding="utf-8")
    os.utime(left, (0, 0))
    inventory = take_inventory(root.parent)
    with OwnerLock(StudyPaths(root)):
        gone = [item.path.name for item in inventory.deletable if not discard(item, "now")]
    return f"{', '.join(gone)} was moved" if gone or not inventory.deletable else ""


KINDS: dict[str, Callable[[Path, random.Random, Path], str]] = {
    "a file is damaged": damaged,
    "storage is missing": hidden,
    "links lead out of the study": linked,
    "a checkpoint is a hard link": hard_linked,
    "a study starts during clean": running,
    **attack_other.KINDS,
    **attack_trainer.KINDS,
    **attack_package.KINDS,
    **attack_input.KINDS,
    **attack_lines.KINDS,
    **attack_storage.KINDS,
}


def attack(study: Path, kind: str, number: int, seed: int) -> str:
    """Run one case; return what went wrong, or nothing."""
    source = random.Random(f"{kind} {number} {seed}")  # noqa: S311 # cases of a test
    folder = Path(tempfile.mkdtemp()).resolve()
    try:
        return KINDS[kind](study, source, folder)
    except attack_trainer.TooLong as error:
        return str(error)
    finally:
        delete(folder, inside=folder.parent)  # its folders may be too deep for anything else


def _copied(study: Path, folder: Path) -> Path:
    return Path(shutil.copytree(study, folder / "results" / study.name, symlinks=True))


def _snapshot(root: Path) -> list[str]:
    return sorted(str(path) for path in root.rglob("*")) if root.exists() else []


def main() -> int:
    """Print a table with cases tried and survived of each kind, and what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only kinds with this in their name")
    parser.add_argument("--cases", type=int)
    parser.add_argument("--study", type=Path, metavar="DIR", help="a finished study of the toy skill, for a new one")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows, wrong = [], []
    with tempfile.TemporaryDirectory() as temporary:
        study = options.study or make_study(Path(temporary))
        kinds = [kind for kind in KINDS if options.only in kind]
        for kind in kinds:
            end_s = time.monotonic() + options.seconds / len(kinds)
            found, cases = list[str](), 0
            for cases in itertools.count() if options.cases is None else range(options.cases + 1):
                if cases == options.cases or (options.cases is None and time.monotonic() > end_s):
                    break
                if problem := attack(study, kind, cases, options.seed):
                    found.append(f"{kind}, case {cases}: {problem}")
                    print(found[-1], file=sys.stderr, flush=True)
            rows.append({"attack": kind, "cases": cases, "survived": cases - len(found)})
            wrong += found
    print("| attack | cases | survived |\n|---|---|---|")
    for row in rows:
        print(f"| {row['attack']} | {row['cases']} | {row['survived']} |")
    print("\n".join(wrong))
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
