"""Torn files, a full disk, a folder that cannot be written: a clear message, and nothing that was known is lost."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_results
from automl.study.trial import TrialState

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
    return [(r.number, r.state, dict(r.values), r.curve) for r in read_results(StudyPaths(root / "study"))]


@pytest.mark.parametrize("content", [None, b"", b"{torn"])
def test_an_optuna_journal_that_is_lost_or_damaged_is_made_anew_from_the_log(
    finished: Path, tmp_path: Path, content: bytes | None
) -> None:
    root = copied(finished, tmp_path)
    journal, before = root / "study/journal.log", results(root)
    lines = journal.read_bytes().count(b"\n")
    if content is None:
        journal.unlink()
    else:
        journal.write_bytes(content)

    done = run(root)

    assert done.returncode == 0, done.stderr
    assert results(root) == before
    assert journal.read_bytes().count(b"\n") == lines
    assert not list((root / "study/trials").glob("*.2"))


def test_a_result_whose_driver_died_before_it_was_written_is_written_by_the_next_one(
    finished: Path, tmp_path: Path
) -> None:
    root = copied(finished, tmp_path)
    file = root / "study/trials/0001/result.json"
    before = file.read_bytes()
    file.unlink()

    done = run(root)

    assert done.returncode == 0, done.stderr
    assert file.read_bytes() == before


@pytest.mark.parametrize("damage", ["cut", "changed", "removed"])
def test_a_log_damaged_in_its_middle_is_named_and_nothing_is_changed(
    finished: Path, tmp_path: Path, damage: str
) -> None:
    root = copied(finished, tmp_path)
    file = root / "study/events.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    at = next(index for index, line in enumerate(lines) if b'"trial_proposed"' in line)
    damaged = {"cut": [lines[at][:9] + b"\n"], "changed": [lines[at].replace(b"0.", b"1.", 1)], "removed": []}
    file.write_bytes(b"".join([*lines[:at], *damaged[damage], *lines[at + 1 :]]))
    before = snapshot(root)

    done = run(root)

    assert done.returncode == 2, done.stderr
    assert str(file) in done.stderr
    assert snapshot(root) == before


def test_a_status_file_that_was_changed_changes_nothing_that_was_measured(finished: Path, tmp_path: Path) -> None:
    log, status = tmp_path / "study/events.jsonl", tmp_path / "study/trials/0001/status.json"
    with subprocess.Popen([sys.executable, str(DRIVER), str(tmp_path), *SETTINGS]) as driver:
        while not (log.exists() and re.search(rb'"measured".*"trial": 1, "epoch": 1', log.read_bytes())):
            time.sleep(0.005)
        driver.kill()
    lines = status.read_text(encoding="utf-8").splitlines()
    status.write_text("\n".join([re.sub('"val/d1": [0-9.]+', '"val/d1": 99.0', lines[0]), *lines[1:], ""]), "utf-8")

    done = run(tmp_path)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "study/trials/0001.2").is_dir()
    assert results(tmp_path) == results(finished)


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


FILL_THE_DISK = """\
mount -t tmpfs -o size=110m tmpfs disk || exit 77
"$@" 2> full.err &
until [ -s disk/study/trials/0001/status.json ]; do sleep 0.01; done
fallocate -l $(($(stat -f -c '%a*%S' disk) - 65536)) disk/filler
dd if=/dev/zero of=disk/rest bs=4k 2> dd.err
wait $!; echo $? > full.status
cp -r disk/study halfway
rm disk/filler disk/rest
"$@" 2> again.err; echo $? > again.status
cp -r disk/study study
"""


@pytest.mark.slow
def test_a_disk_without_a_byte_left_ends_the_study_with_a_clear_error_and_loses_nothing(
    finished: Path, tmp_path: Path
) -> None:
    in_own_mounts(tmp_path, FILL_THE_DISK)

    assert (tmp_path / "full.status").read_text() == "4\n", (tmp_path / "full.err").read_text()
    assert re.search("No space left on device|make room", (tmp_path / "full.err").read_text())
    (tmp_path / "before").mkdir()
    (tmp_path / "halfway").rename(tmp_path / "before/study")
    ended = [result for result in results(tmp_path / "before") if result[1] is not TrialState.RUNNING]  # type: ignore[index] # tuples
    assert (tmp_path / "again.status").read_text() == "0\n", (tmp_path / "again.err").read_text()
    assert results(tmp_path) == results(finished)
    assert ended == results(tmp_path)[: len(ended)]


@pytest.mark.parametrize("is_new", [True, False], ids=["new study", "resumed study"])
def test_a_read_only_disk_is_an_error_also_for_root(finished: Path, tmp_path: Path, *, is_new: bool) -> None:
    if is_new:
        (tmp_path / "disk/study").mkdir(parents=True)
    else:
        copied(finished, tmp_path / "disk")
        (tmp_path / "disk/study/trials/0003/result.json").unlink()
    mount = "mount --bind disk/study disk/study && mount -o remount,ro,bind disk/study || exit 77\n"

    in_own_mounts(tmp_path, mount + '"$@" 2> ro.err; echo $? > ro.status')

    assert (tmp_path / "ro.status").read_text() == "4\n", (tmp_path / "ro.err").read_text()
    assert "Read-only file system" in (tmp_path / "ro.err").read_text()
    assert "Traceback" not in (tmp_path / "ro.err").read_text()


def in_own_mounts(folder: Path, script: str) -> None:
    """Run a script in a folder, where it may mount what it likes; its arguments run the study in `disk`."""
    (folder / "disk").mkdir(exist_ok=True)
    study = (sys.executable, str(DRIVER), str(folder / "disk"), *SETTINGS)
    command = ["unshare", "--mount", "sh", "-c", script, "sh", *study]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=200)
    if "unshare failed" in done.stderr or done.returncode == 77:
        pytest.skip(f"this user may not mount: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


def snapshot(root: Path) -> dict[str, bytes]:
    files = [file for file in (root / "study").rglob("*") if file.is_file() and not file.name.endswith(".owner")]
    return {str(file): file.read_bytes() for file in files}
