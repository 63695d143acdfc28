"""Where a local Ray keeps its files, whatever the temporary folder is."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from automl.errors import LaunchError
from automl.executor.ray import folders
from automl.preflight.software import socket_finding


def test_sockets_lie_in_a_short_private_folder_however_long_the_temporary_folder_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("long" * 40)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))

    made = folders.make_folders()

    try:
        assert len(os.fsencode(made.sockets / "plasma_store")) <= 107
        assert made.files.is_relative_to(long)
        assert {folder.stat().st_mode & 0o777 for folder in (made.sockets.parent, made.sockets, made.files)} == {0o700}
        assert made not in list(folders.left_folders())  # its driver lives
    finally:
        made.remove()
    assert not made.sockets.exists()
    assert not made.files.exists()


def test_a_relative_temporary_folder_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", ".")

    made = folders.make_folders()

    assert made.files.is_relative_to(tmp_path)
    made.remove()


def test_the_next_folder_is_taken_where_one_is_a_file_somebody_elses_or_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, linked, long = tmp_path / "file", tmp_path / "linked", tmp_path / ("x" * 90)
    file.touch()
    for folder in (linked, long):
        folder.mkdir()
    (linked / f"automl-{os.getuid()}").symlink_to(long)

    with tempfile.TemporaryDirectory(dir="/tmp", prefix="s") as short:  # tmp_path may be too long itself
        monkeypatch.setattr(folders, "_SHORT", (file, linked, long, Path(short)))

        assert folders.socket_root() == Path(short) / f"automl-{os.getuid()}"
        assert socket_finding().found.startswith(f"in {short}")


def test_no_place_for_sockets_is_an_error_with_the_reason_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, long = tmp_path / "file", tmp_path / ("x" * 90)
    file.touch()
    long.mkdir()
    monkeypatch.setattr(folders, "_SHORT", (file,))
    monkeypatch.setattr(tempfile, "tempdir", str(long))

    with pytest.raises(LaunchError, match="no place for its sockets") as caught:
        folders.socket_root()

    (problem,) = caught.value.problems
    assert f"{file}/automl-{os.getuid()}: Not a directory" in problem.found
    assert "AF_UNIX path too long" in problem.found
    assert "TMPDIR" in problem.fix
    assert socket_finding().problem().found == problem.found
