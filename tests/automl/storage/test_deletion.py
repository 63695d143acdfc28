"""What is deleted lies where it should, whatever links say, and is moved rather than copied to the trash."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from automl.storage import deletion
from automl.storage.deletion import delete, is_deletable, links_out_of, move_to_trash, purge
from automl.storage.paths import TRASH
from tests.deletions import calls

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Make a study with a link to a folder outside, in which a person has placed a file."""
    root = tmp_path / "demo"
    (root / "trials/0000").mkdir(parents=True)
    (root / "trials/0000/own.pth").write_text("own", encoding="utf-8")
    (tmp_path / "elsewhere/deep").mkdir(parents=True)
    (tmp_path / "elsewhere/deep/mine.pth").write_text("mine", encoding="utf-8")
    (root / "trials/0001").symlink_to(tmp_path / "elsewhere")
    return root


@pytest.mark.parametrize("path", ["trials/0000/own.pth", "trials/0000", "trials/0000/absent", "trials/0001"])
def test_files_folders_and_links_of_a_study_are_deleted_and_what_a_link_leads_to_stays(study: Path, path: str) -> None:
    delete(study / path, inside=study)

    assert not os.path.lexists(study / path)  # noqa: TID251 # also of a link
    assert (study.parent / "elsewhere/deep/mine.pth").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("path", ["trials/0001/deep/mine.pth", "trials/0001/deep", "../elsewhere", ".", "trials/.."])
def test_what_lies_elsewhere_is_refused(study: Path, path: str) -> None:
    with pytest.raises(PermissionError, match="lies outside of"):
        delete(study / path, inside=study)
    with pytest.raises(PermissionError, match="lies outside of"):
        move_to_trash(study / path, inside=study, moment="now")

    assert (study.parent / "elsewhere/deep/mine.pth").is_file()
    assert study.is_dir()


def test_a_recorded_file_behind_a_link_may_be_deleted_and_its_neighbours_not(study: Path) -> None:
    other = study.parent / "elsewhere/deep/other.pth"
    other.touch()
    recorded = [str(study.parent / "elsewhere/deep/mine.pth")]

    delete(study / "trials/0001/deep/mine.pth", inside=study, recorded=recorded)

    assert list(other.parent.iterdir()) == [other]
    assert not is_deletable(study / "trials/0001/deep/other.pth", inside=study, recorded=recorded)


def test_a_folder_that_becomes_a_link_after_it_was_resolved_is_not_followed(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = study / "trials/0000/deep/mine.pth"
    (study / "trials/0000").rename(study / "moved")
    (study / "trials/0000").symlink_to(study.parent / "elsewhere")
    monkeypatch.setattr(deletion, "real_path", lambda path: path)  # as it was before the swap

    with pytest.raises(NotADirectoryError):
        delete(path, inside=study)

    assert (study.parent / "elsewhere/deep/mine.pth").is_file()


def test_the_trash_keeps_the_place_and_is_not_searched_again(study: Path) -> None:
    move_to_trash(study / "trials/0000/own.pth", inside=study, moment="now")

    kept = study / TRASH / "now/trials/0000/own.pth"
    assert kept.read_text(encoding="utf-8") == "own"
    assert not is_deletable(kept, inside=study)
    purge(study)
    assert not (study / TRASH).exists()


def test_a_trash_that_leads_elsewhere_is_not_used(study: Path) -> None:
    (study / TRASH).symlink_to(study.parent / "elsewhere")

    with pytest.raises(NotADirectoryError, match=r"\.automl_trash is a link to .*elsewhere, and no folder"):
        move_to_trash(study / "trials/0000/own.pth", inside=study, moment="deep")
    with pytest.raises(NotADirectoryError, match="a link to"):
        purge(study)

    assert (study / TRASH).is_symlink()
    assert (study / "trials/0000/own.pth").is_file()
    assert (study.parent / "elsewhere/deep/mine.pth").is_file()


def test_a_move_over_the_end_of_a_file_system_is_refused_and_never_a_copy(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.rename", refuse)

    with pytest.raises(OSError, match="cross-device"):
        move_to_trash(study / "trials/0000/own.pth", inside=study, moment="now")

    assert (study / "trials/0000/own.pth").is_file()


def test_links_out_of_a_study_are_found_and_links_within_it_are_not(study: Path) -> None:
    (study / "trials/0002").symlink_to(study / "trials/0000")
    linked = study.parent / "linked"
    linked.symlink_to(study)

    assert links_out_of(study) == {"trials/0001": str(study.parent / "elsewhere")}
    assert links_out_of(linked) == {".": str(study), "trials/0001": str(study.parent / "elsewhere")}


def test_a_folder_deeper_than_python_and_paths_reach_is_deleted(study: Path) -> None:
    top = study / "trials/0000/deep"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(2200):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.symlink(study / "trials/0000/own.pth", "link", dir_fd=here)
    os.close(here)
    before = sorted(path for path in top.parent.iterdir() if path != top)

    delete(top, inside=study)

    assert sorted(top.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("path.unlink()", 1),
        ("shutil.rmtree(path)", 1),
        ("from shutil import rmtree", 1),
        ("os.remove(path)", 1),
        ("map(Path.unlink, paths)", 1),
        ("waiting.remove(1)", 0),
        ("path.unlink()  # not of a study: a socket", 0),
        ("folder.mkdir(parents=True)", 1),
        ("os.makedirs(folder)", 1),
        ("folder.mkdir(exist_ok=True)", 0),
    ],
)
def test_the_linter_finds_calls_that_delete_or_make_parents(text: str, found: int) -> None:
    assert len(list(calls("automl/module.py", text))) == found


def test_the_trainer_deletes_only_what_is_marked_as_its_own() -> None:
    assert list(calls("depth_net/module.py", "path.unlink()  # its own\nfolder.mkdir(parents=True)")) == []
    assert len(list(calls("depth_net/module.py", "path.unlink()"))) == 1
