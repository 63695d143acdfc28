from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from automl.launch.local import LocalLauncher
from tests.contracts.launcher import TREE, ProcessLauncherContract, unique_tag, wait_until_gone

if TYPE_CHECKING:
    from collections.abc import Iterator

OWNER = Path(__file__).parent / "owner.py"


class TestLocalLauncher(ProcessLauncherContract):
    @pytest.fixture(autouse=True)
    def _launch(self) -> Iterator[None]:
        self.launcher = LocalLauncher()
        yield
        self.launcher.close()

    def command(self, code: str) -> tuple[str, ...]:
        return (sys.executable, "-S", "-E", "-c", code)


def test_a_tree_does_not_outlive_a_killed_owner(tmp_path: Path) -> None:
    tag = unique_tag()
    with subprocess.Popen(
        [sys.executable, OWNER, tag, str(tmp_path), TREE],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "started\n"

        os.kill(owner.pid, signal.SIGKILL)

    wait_until_gone(tag, limit_s=5.0)
