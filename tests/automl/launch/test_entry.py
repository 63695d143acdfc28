from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from automl.launch.entry import WarmEntry, find_entry
from tests.automl.launch.test_warm import PROGRAM, install_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _collect_again() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_a_console_script_is_found_by_its_name() -> None:
    entry = find_entry("automl")

    assert entry is not None
    assert entry.value == "automl.cli.app:main"
    assert find_entry("no-such-script") is None


def test_an_unknown_script_cannot_be_warm() -> None:
    with pytest.raises(LookupError, match="no-such-script"):
        WarmEntry("no-such-script")


def test_a_module_that_starts_a_thread_cannot_be_forked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    thread = "import threading; threading.Thread(target=threading.Event().wait, args=(2.0,), daemon=True).start()"
    install_program(tmp_path, monkeypatch, PROGRAM.replace("toy", "x") + thread + "\n")
    monkeypatch.delitem(__import__("sys").modules, "toy_trainer", raising=False)

    with pytest.raises(RuntimeError, match="preloading toy_trainer has started 1 threads"):
        WarmEntry("toy-trainer")
