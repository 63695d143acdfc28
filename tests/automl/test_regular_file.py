"""What somebody names is opened if it is a regular file, and never waited for."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from automl.config_files import read_document
from automl.errors import ConfigurationError
from automl.preflight.probe import unreadable_reason
from automl.preflight.weights import check_weights
from automl.regular_file import NotAFileError, followed, open_regular, open_to_append
from automl.resources import packaged
from automl.storage.history_file import is_history
from automl.tracking.data_fingerprint import fingerprint
from automl.trial.checkpoints import size_of
from tests.automl.storage.test_trainer_files import device_link, listener, pipe

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("make", "found"),
    [(pipe, "a named pipe"), (listener, "a socket"), (Path.mkdir, "a folder"), (device_link, "a device")],
)
def test_what_is_no_regular_file_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], None], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket may have 107 bytes
    make(Path("x"))

    for opened in (open_regular, open_to_append):
        with pytest.raises(NotAFileError, match=f"it is {found}, not a file: 'x'"):
            opened(Path("x"))


def test_what_is_appended_stands_behind_what_was_there(tmp_path: Path) -> None:
    for text in (b"first\n", b"second\n"):
        with open_to_append(tmp_path / "x") as stream:
            stream.write(text)

    assert (tmp_path / "x").read_bytes() == b"first\nsecond\n"
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600


def test_a_pipe_on_standard_input_is_refused_at_once() -> None:
    reading, writing = os.pipe()
    try:
        with pytest.raises(NotAFileError, match="a named pipe"):
            open_regular(Path(f"/dev/fd/{reading}"))
    finally:
        os.close(reading)
        os.close(writing)


def test_links_are_followed_and_one_to_itself_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content", encoding="utf-8")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "loop").symlink_to("loop")

    with open_regular(tmp_path / "link") as stream:
        assert stream.read() == b"content"
    assert followed(tmp_path / "loop") == tmp_path / "loop"
    with pytest.raises(NotAFileError, match=r"it is a link that leads to itself, not a file: '.*/loop'"):
        open_regular(tmp_path / "loop")


def test_each_reader_of_what_a_user_names_refuses_a_pipe(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    pipe(file)

    with pytest.raises(ConfigurationError, match="it is a named pipe, not a file"):
        read_document(file)
    assert unreadable_reason(file) == "it is a named pipe, not a file"
    assert "it is a named pipe, not a file" in check_weights("train.checkpoint", str(file)).found
    assert not is_history(file)
    assert fingerprint(file) == str(file)


def test_no_module_resolves_paths_in_the_way_that_raises_for_a_loop() -> None:
    modules = [file for file in packaged("schemas").parent.glob("automl/**/*.py") if file.name != "resources.py"]
    trainers = {"toy_trainer.py", "reporting.py"}

    using = [file.name for file in modules if re.search(r"\.resolve\(\)", file.read_text(encoding="utf-8"))]

    assert set(using) <= trainers
    assert modules


def test_a_zero_byte_in_a_path_is_an_error_that_readers_expect() -> None:
    with pytest.raises(OSError, match="its path holds a zero byte"):
        open_regular(Path("a\0b"))
    with pytest.raises(OSError, match="its path holds a zero byte"):
        size_of(Path("a\0b"))


def test_nothing_is_appended_to_what_a_link_leads_to(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("of the user", encoding="utf-8")
    (tmp_path / "log").symlink_to(precious)
    (tmp_path / "new").symlink_to(tmp_path / "not there")

    for name, target in (("log", precious), ("new", tmp_path / "not there")):
        with pytest.raises(NotAFileError, match=f"it is a link to {target}, not a file"):
            open_to_append(tmp_path / name)

    assert precious.read_text(encoding="utf-8") == "of the user"
    assert not (tmp_path / "not there").exists()
