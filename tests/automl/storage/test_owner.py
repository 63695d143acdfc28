"""Who runs a study is known from the kernel's lock, whatever the files say."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.storage.owner import OwnerLock, running_process
from automl.storage.paths import StudyPaths

if TYPE_CHECKING:
    from pathlib import Path

OWNER = """
import sys
from pathlib import Path
from automl.storage.owner import OwnerLock
from automl.storage.paths import StudyPaths
lock = OwnerLock(StudyPaths(Path(sys.argv[1])))
print("owned", flush=True)
sys.stdin.read()
"""
ASK = """
import sys
from pathlib import Path
from automl.storage.owner import running_process
from automl.storage.paths import StudyPaths
print(running_process(StudyPaths(Path(sys.argv[1]))))
"""


def test_a_living_owner_is_found_and_a_dead_one_is_not(tmp_path: Path) -> None:
    directory = StudyPaths(tmp_path)
    command = [sys.executable, "-c", OWNER, str(directory.root)]

    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"owned\n"
        while_it_lives = running_process(directory)
        owner.kill()

    assert while_it_lives == owner.pid
    assert directory.owner_file.is_file()
    assert running_process(directory) is None


def test_the_owner_is_found_in_a_folder_that_is_mounted_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = StudyPaths(tmp_path)
    really_open = os.open

    def open_read_only(file: Path, flags: int) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(file))
        return really_open(file, flags)

    command = [sys.executable, "-c", OWNER, str(directory.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"owned\n"
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", open_read_only)
            process = running_process(directory)
        owner.kill()

    assert process == owner.pid


def test_a_lock_that_cannot_be_opened_does_not_mean_that_nobody_runs_the_study(tmp_path: Path) -> None:
    file = StudyPaths(tmp_path).owner_file
    file.symlink_to(file)

    with pytest.raises(ConfigurationError, match="whether a process runs this study cannot be read") as caught:
        running_process(StudyPaths(tmp_path))

    assert str(file) in str(caught.value)


def test_a_folder_without_a_lock_is_run_by_no_process(tmp_path: Path) -> None:
    assert running_process(StudyPaths(tmp_path)) is None


def test_the_process_that_runs_a_study_may_ask_and_keeps_its_lock(tmp_path: Path) -> None:
    directory = StudyPaths(tmp_path)
    command = [sys.executable, "-c", ASK, str(tmp_path)]

    with OwnerLock(directory):
        own = running_process(directory)
        other = subprocess.run(command, capture_output=True, text=True, check=True)

    assert own == os.getpid()
    assert other.stdout.strip() == str(os.getpid())
    assert running_process(directory) is None


def test_an_owner_lock_excludes_a_second_one_until_it_is_released(tmp_path: Path) -> None:
    first = OwnerLock(StudyPaths(tmp_path))
    with pytest.raises(ConfigurationError, match="is running this study"):
        OwnerLock(StudyPaths(tmp_path))

    first.release()
    first.release()

    with OwnerLock(StudyPaths(tmp_path)):
        assert StudyPaths(tmp_path).owner_file.read_text(encoding="ascii").strip() == str(os.getpid())


def test_a_pipe_in_place_of_the_lock_is_refused_at_once(tmp_path: Path) -> None:
    directory = StudyPaths(tmp_path)
    os.mkfifo(directory.owner_file)

    with pytest.raises(ConfigurationError, match="it is a named pipe, not a file"):
        running_process(directory)
    with pytest.raises(OSError, match="it is a named pipe, not a file"):
        OwnerLock(directory)


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    directory, precious = StudyPaths(tmp_path), tmp_path / "precious.txt"
    precious.write_text("of the user", encoding="utf-8")
    directory.owner_file.symlink_to(precious)

    with pytest.raises(OSError, match=f"it is a link to {precious}, not a file"):
        OwnerLock(directory)

    assert precious.read_text(encoding="utf-8") == "of the user"
