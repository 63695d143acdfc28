from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.storage.locks import AppendLock, OwnerLock

if TYPE_CHECKING:
    from pathlib import Path


def test_an_owner_lock_excludes_a_second_one_until_it_is_released(tmp_path: Path) -> None:
    first = OwnerLock(tmp_path / "journal.log")
    with pytest.raises(ConfigurationError):
        OwnerLock(tmp_path / "journal.log")

    first.release()
    first.release()

    OwnerLock(tmp_path / "journal.log").release()


def test_the_owner_file_names_its_process(tmp_path: Path) -> None:
    lock = OwnerLock(tmp_path / "journal.log")

    assert (tmp_path / "journal.log.owner").read_text(encoding="ascii").strip() == str(os.getpid())
    lock.release()


def test_an_append_lock_can_be_taken_again_after_its_release(tmp_path: Path) -> None:
    lock = AppendLock(tmp_path / "journal.log")

    for _ in range(2):
        assert lock.acquire()
        lock.release()
