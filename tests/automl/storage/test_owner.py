"""Who runs a study is known from the kernel's lock, whatever the files say."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from automl.storage.owner import running_process
from automl.storage.paths import StudyPaths

if TYPE_CHECKING:
    from pathlib import Path

OWNER = """
import sys
from pathlib import Path
from automl.storage.locks import OwnerLock
lock = OwnerLock(Path(sys.argv[1]))
print("owned", flush=True)
sys.stdin.read()
"""


def test_a_living_owner_is_found_and_a_dead_one_is_not(tmp_path: Path) -> None:
    directory = StudyPaths(tmp_path)
    command = [sys.executable, "-c", OWNER, str(directory.journal_file)]

    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"owned\n"
        while_it_lives = running_process(directory)
        owner.kill()

    assert while_it_lives == owner.pid
    assert directory.journal_file.with_name("journal.log.owner").is_file()
    assert running_process(directory) is None


def test_a_folder_without_a_journal_is_run_by_nobody(tmp_path: Path) -> None:
    assert running_process(StudyPaths(tmp_path)) is None
