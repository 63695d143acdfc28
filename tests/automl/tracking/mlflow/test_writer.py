"""The writer ends when it should: by order, or with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from automl.errors import LaunchError
from automl.storage.paths import StudyPaths
from automl.tracking.mlflow.folder import MlflowFolder
from automl.tracking.mlflow.tracker import start_writer, sync
from automl.tracking.mlflow.writer import only_writer, sending_process
from tests.automl.study.examples import study_started
from tests.automl.tracking.mlflow.events import append


def test_two_writers_never_send_the_same_study(tmp_path: Path) -> None:
    folder = MlflowFolder(StudyPaths(tmp_path))

    with only_writer(folder, lambda: True) as first, only_writer(folder, lambda: True) as second:
        assert (first, second) == (True, False)
        assert sending_process(folder) == str(os.getpid())


def test_the_next_writer_may_send_when_the_first_has_ended(tmp_path: Path) -> None:
    folder = MlflowFolder(StudyPaths(tmp_path))
    with only_writer(folder, lambda: True):
        pass
    assert sending_process(folder) is None

    with only_writer(folder, lambda: True) as has_lock:
        assert has_lock


def test_a_writer_has_a_working_folder_where_that_of_the_study_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (gone := tmp_path / "gone").mkdir()
    folder = MlflowFolder(append(StudyPaths(tmp_path / "demo"), study_started()))
    monkeypatch.chdir(gone)
    gone.rmdir()

    writer = start_writer(folder, "http://127.0.0.1:9", "demo", delay_s=60.0)

    assert Path(f"/proc/{writer.pid}/cwd").resolve() == Path("/")
    writer.kill()
    writer.communicate()


def test_a_writer_reaches_this_machine_directly_and_takes_no_warning_for_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "corp.example")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    folder = MlflowFolder(append(StudyPaths(tmp_path / "demo"), study_started()))

    writer = start_writer(folder, "http://127.0.0.1:5000", "demo", delay_s=60.0)

    shown = ""
    while not shown and writer.poll() is None:  # the kernel shows it a moment after the program has begun
        shown = Path(f"/proc/{writer.pid}/environ").read_text("utf-8")
    writer.kill()
    writer.communicate()
    environment = shown.split("\0")
    assert "PYTHONWARNINGS=ignore" in environment
    assert "no_proxy=corp.example,localhost,127.0.0.1,::1" in environment


def test_an_mlflow_that_cannot_be_imported_is_named_where_the_record_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "path" / "mlflow"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise RuntimeError('of another version')\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    study = append(StudyPaths(tmp_path / "demo"), study_started())

    with pytest.raises(LaunchError, match="everything: MLflow cannot be imported: RuntimeError: of another version"):
        sync(study, "http://127.0.0.1:9", "demo")


@pytest.mark.parametrize("is_finishing", [False, True])
def test_a_killed_study_leaves_no_writer_behind(tmp_path: Path, *, is_finishing: bool) -> None:
    append(StudyPaths(tmp_path), study_started())
    program = (
        "import time; from pathlib import Path; from automl.tracking.mlflow.tracker import start_writer, sync;"
        "from automl.storage.paths import StudyPaths; from automl.tracking.mlflow.folder import MlflowFolder;"
        f"w = start_writer(MlflowFolder(StudyPaths(Path({str(tmp_path)!r}))), 'http://127.0.0.1:9', 'demo');"
        f"w.stdin.write(b'finish 60\\n' if {is_finishing} else b'begin\\n');"
        "print(w.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as study:
        assert study.stdout is not None
        writer = int(study.stdout.readline())
        assert _lives(writer)

        study.send_signal(signal.SIGKILL)
        study.wait()

    deadline = time.monotonic() + 20
    while _lives(writer) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(writer)


def test_a_writer_with_a_delay_imports_mlflow_only_after_the_order_to_begin(tmp_path: Path) -> None:
    study = append(StudyPaths(tmp_path), study_started())
    writer = start_writer(MlflowFolder(study), f"sqlite:///{tmp_path / 'm.db'}", "demo", delay_s=60.0)
    assert writer.stdin is not None
    maps = Path(f"/proc/{writer.pid}/maps")
    time.sleep(2)
    assert "sqlalchemy" not in maps.read_text()
    writer.stdin.write(b"begin\n")
    writer.stdin.flush()

    deadline = time.monotonic() + 240
    while "sqlalchemy" not in maps.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    writer.kill()
    writer.communicate()


def _lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # it may end while it is read
        return False
    return state != "Z"
