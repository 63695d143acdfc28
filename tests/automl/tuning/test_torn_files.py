"""Torn files, a full disk, a folder that cannot be written: a clear message, and nothing that was known is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from automl.study.directory import StudyDirectory

DRIVER = Path(__file__).parent / "plain_driver.py"
SETTINGS = ("random", "median", "1", "4")


def run(root: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DRIVER), str(root), *SETTINGS, *more]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("torn") / "finished"
    done = run(root)
    assert done.returncode == 0, done.stderr
    return root


def copied(finished: Path, root: Path) -> Path:
    """Copy the finished study into another folder."""
    return Path(shutil.copytree(finished, root, dirs_exist_ok=True))


def results(root: Path) -> list[object]:
    return [(r.number, r.state, dict(r.values), r.curve) for r in StudyDirectory(root / "study").read_results()]


def test_a_journal_that_lost_its_end_takes_up_the_results_again(finished: Path, tmp_path: Path) -> None:
    root = copied(finished, tmp_path)
    journal = root / "study/journal.log"
    content = journal.read_bytes()
    os.truncate(journal, len(content) // 2)
    before = results(root)

    done = run(root)

    assert done.returncode == 0, done.stderr
    assert results(root) == before
    assert not list((root / "study/trials").glob("*.2"))


@pytest.mark.parametrize("name", ["trials/0001/result.json", "reports.jsonl"])
def test_a_file_cut_in_its_middle_is_named_and_nothing_is_changed(finished: Path, tmp_path: Path, name: str) -> None:
    root = copied(finished, tmp_path)
    file = root / "study" / name
    lines = file.read_bytes().splitlines(keepends=True)
    is_document = name.endswith(".json")
    file.write_bytes(b"".join(lines[: len(lines) // 2]) if is_document else lines[0][:9] + b"\n" + b"".join(lines[1:]))
    before = snapshot(root)

    done = run(root)

    assert done.returncode == 2, done.stderr
    assert str(file) in done.stderr
    assert snapshot(root) == before


def test_a_disk_that_fills_up_ends_the_study_with_a_clear_error_and_a_resume_completes_it(
    finished: Path, tmp_path: Path
) -> None:
    full = run(tmp_path, "6000")  # no file may grow beyond: the journal does, in the middle of the study
    halfway = results(tmp_path)

    again = run(tmp_path)

    assert full.returncode == 4, full.stderr
    assert "cannot be written" in full.stderr
    assert "automl resume" in full.stderr
    assert again.returncode == 0, again.stderr
    assert results(tmp_path) == results(finished)
    ended = [result for result in halfway if result[1] != "RUNNING"]  # type: ignore[index] # tuples
    assert ended == results(tmp_path)[: len(ended)]


def snapshot(root: Path) -> dict[str, bytes]:
    files = [file for file in (root / "study").rglob("*") if file.is_file() and not file.name.endswith(".owner")]
    return {str(file): file.read_bytes() for file in files}
