"""What takes the place of a study, or of a folder in it, while the study runs is neither written nor read."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from automl.storage.deletion import delete
from automl.storage.documents import write_document
from automl.storage.held_study import ReplacedFolderError, held_study, moved_to, require_held
from automl.storage.paths import make_folder
from automl.storage.trainer_files import open_made

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def study_in(results: Path, name: str) -> Path:
    trial = results / name / "trials" / "0000"
    trial.mkdir(parents=True)
    (trial / "result.json").write_text(f'{{"study": "{name}"}}', encoding="utf-8")
    (trial / "train.log").write_text(f"the log of {name}", encoding="utf-8")
    return results / name


def moved_aside(folder: Path) -> None:
    folder.rename(folder.with_name(f"{folder.name}.aside"))


def linked(own: Path, other: Path) -> None:
    moved_aside(own)
    own.symlink_to(other)


def swapped(own: Path, other: Path) -> None:
    moved_aside(own)
    other.rename(own)
    other.symlink_to(own)  # what the test looks at stays the other study


REPLACED: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "a link to another study": (linked, "is a link to {other} now"),
    "another study": (swapped, "is another folder now"),
}
USES: dict[str, Callable[[Path], object]] = {
    "write": lambda root: write_document(root / "trials" / "0000" / "result.json", {"a": 1}, dict[str, int]),
    "make": lambda root: make_folder(root / "trials" / "0001", below=root),
    "delete": lambda root: delete(root / "trials" / "0000" / "train.log", inside=root.resolve()),
    "read": lambda root: open_made(root / "trials" / "0000", root / "trials" / "0000" / "train.log").close(),
}


def contents(root: Path) -> dict[str, str]:
    return {str(f.relative_to(root)): f.read_text(encoding="utf-8") for f in root.rglob("*") if f.is_file()}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("place", ["", "trials"])
@pytest.mark.parametrize("kind", REPLACED)
def test_what_replaced_a_study_or_its_trials_is_left_alone(tmp_path: Path, kind: str, place: str, use: str) -> None:
    own, other = study_in(tmp_path, "own"), study_in(tmp_path, "other")
    replace, found = REPLACED[kind]
    with held_study(own):
        replace(own / place, other / place)
        before = contents(other)

        with pytest.raises(ReplacedFolderError) as error:
            USES[use](own)

        assert contents(other) == before
    assert str(error.value).startswith(f"{own / place} {found.format(other=other / place)}, and nothing more")


@pytest.mark.parametrize("use", USES)
def test_a_link_in_place_of_one_trial_is_left_alone(tmp_path: Path, use: str) -> None:
    own, other = study_in(tmp_path, "own"), study_in(tmp_path, "other")
    with held_study(own):
        linked(own / "trials" / "0000", other / "trials" / "0000")
        (own / "trials" / "0001").symlink_to(other / "trials")
        before = contents(other)

        with pytest.raises(ReplacedFolderError, match=r"trials/000[01] is a link to"):
            USES[use](own)

        assert contents(other) == before


@pytest.mark.parametrize("place", ["", "trials"])
def test_a_study_that_is_gone_is_said_to_be(tmp_path: Path, place: str) -> None:
    own = study_in(tmp_path, "own")
    with held_study(own):
        moved_aside(own / place)

        with pytest.raises(ReplacedFolderError, match="was moved or deleted, and nothing more"):
            require_held(own / "trials")


def test_where_a_study_was_moved_to_is_known_also_where_its_path_was_made_again(tmp_path: Path) -> None:
    own = study_in(tmp_path, "own")
    with held_study(own):
        assert moved_to(own) is None
        own.rename(tmp_path / "new")
        (own / "trials" / "0000").mkdir(parents=True)  # as trainers do
        assert moved_to(own) == tmp_path / "new"
        shutil.rmtree(tmp_path / "new")
        assert moved_to(own) is None
    assert moved_to(own) is None


def test_links_that_stood_there_before_are_used(tmp_path: Path) -> None:
    other = study_in(tmp_path, "other")
    own = tmp_path / "own"
    own.mkdir()
    (own / "trials").symlink_to(other / "trials")
    with held_study(own), held_study(own):
        for use in ("write", "make", "read"):  # what lies elsewhere is not deleted
            USES[use](own)
    linked(own / "trials", tmp_path)
    require_held(own / "trials")  # nobody holds it any more


def test_folders_that_the_study_makes_itself_and_what_trainers_do_in_theirs_are_no_replacement(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    with held_study(own):
        make_folder(own / "trials" / "0000", below=own)
        make_folder(own / "best", below=own)
        (own / "trials" / "0000").rmdir()  # a trainer that begins with an empty folder
        (own / "trials" / "0000").mkdir()
        (own / "trials" / "0000" / "latest").symlink_to(tmp_path)
        os.utime(own)
        require_held(own / "trials" / "0000" / "latest")
        (own / "trials").rename(own / "aside")
        (own / "trials").mkdir()

        require_held(own / "best")
        with pytest.raises(ReplacedFolderError, match="trials is another folder now"):
            require_held(own / "trials")
    with held_study(own):
        require_held(own)


def test_storage_that_fails_for_a_moment_is_no_replacement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = study_in(tmp_path, "own")
    with held_study(own):

        def fail(*_: object, **__: object) -> None:
            raise OSError(errno.EIO, "the server does not answer")

        with monkeypatch.context() as failing:
            failing.setattr(os, "stat", fail)
            failing.setattr(os, "lstat", fail)
            require_held(own / "trials" / "0000")
        require_held(own / "trials" / "0000")


def test_threads_of_one_process_hold_a_study_until_the_last_one_lets_go(tmp_path: Path) -> None:
    own, is_over, found = study_in(tmp_path, "own"), threading.Event(), list[BaseException]()

    def look() -> None:
        try:
            while not is_over.is_set():
                require_held(own / "trials" / "0000")
        except OSError as error:
            found.append(error)

    def hold() -> None:
        for _ in range(300):
            with held_study(own):
                require_held(own / "trials" / "0000")

    threads = [threading.Thread(target=target) for target in (look, hold, hold)]
    for thread in threads:
        thread.start()
    for thread in threads[1:]:
        thread.join()
    is_over.set()
    threads[0].join()

    assert found == []
    with held_study(own):
        with held_study(own):
            pass
        linked(own / "trials", tmp_path)
        with pytest.raises(ReplacedFolderError):
            require_held(own / "trials")
