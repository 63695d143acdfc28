"""Growing files: only whole lines, each once, whatever happens to the file meanwhile."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl.readers.growing_file import GrowingFile

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def append(file: Path, data: bytes) -> None:
    with file.open("ab") as stream:
        stream.write(data)


def test_a_half_written_line_waits_for_its_end(tmp_path: Path) -> None:
    file, growing = tmp_path / "f", GrowingFile(tmp_path / "f")

    append(file, b"one\ntw")
    assert growing.read() == ["one"]
    append(file, b"o\n")
    assert growing.read() == ["two"]
    assert growing.read() == []


def test_the_last_line_without_an_end_is_read_when_the_writer_is_dead(tmp_path: Path) -> None:
    append(tmp_path / "f", b"one\ntwo")
    growing = GrowingFile(tmp_path / "f")

    assert list(growing.finish()) == ["one", "two"]
    assert list(growing.finish()) == []


def test_a_file_that_does_not_exist_yet_has_no_lines(tmp_path: Path) -> None:
    growing = GrowingFile(tmp_path / "f")

    assert growing.read() == []
    append(tmp_path / "f", b"one\n")
    assert growing.read() == ["one"]


def test_a_replaced_file_is_read_from_its_start(tmp_path: Path) -> None:
    file, growing = tmp_path / "f", GrowingFile(tmp_path / "f")
    append(file, b"one\ntwo\n")
    growing.read()

    append(tmp_path / "new", b"first\nsecond\n")
    (tmp_path / "new").replace(file)

    assert growing.read() == ["first", "second"]


def test_a_file_that_was_cut_and_has_grown_past_its_old_end_is_read_from_its_start(tmp_path: Path) -> None:
    file, growing = tmp_path / "f", GrowingFile(tmp_path / "f")
    append(file, b"one\n")
    growing.read()

    file.write_bytes(b"another beginning\nand more\n")

    assert growing.read() == ["another beginning", "and more"]


def test_a_progress_bar_gives_one_line_for_each_of_its_states(tmp_path: Path) -> None:
    append(tmp_path / "f", b"10%\r50%\r100%\r\ndone\n")

    assert GrowingFile(tmp_path / "f").read() == ["10%", "50%", "100%", "done"]


def test_bytes_that_are_no_text_do_not_hide_the_rest(tmp_path: Path) -> None:
    append(tmp_path / "f", b"\xff\xfe\nfine\n")

    assert GrowingFile(tmp_path / "f").read()[1] == "fine"


def test_a_reader_that_is_far_behind_skips_to_the_newest_part(tmp_path: Path) -> None:
    append(tmp_path / "f", b"old line\n" * 1000 + b"new line\n")
    growing = GrowingFile(tmp_path / "f", furthest_behind_bytes=20)

    assert growing.read()[-1] == "new line"
    assert growing.read() == []


def test_a_huge_file_is_read_in_parts_and_completely(tmp_path: Path) -> None:
    append(tmp_path / "f", b"x" * 99 + b"\n")
    append(tmp_path / "f", (b"y" * 99 + b"\n") * 100_000)
    growing = GrowingFile(tmp_path / "f")

    first = growing.read()

    assert 0 < len(first) < 100_001
    assert len(first) + len(list(growing.finish())) == 100_001


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    append(tmp_path / "f", b"x" * (13 * 1024 * 1024) + b"\nfine\n")
    growing = GrowingFile(tmp_path / "f")

    assert list(growing.finish())[-1] == "fine"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.text(alphabet="abc{}é ", min_size=1), max_size=8), cuts=st.lists(st.integers(0, 200), max_size=6)
)
def test_however_a_file_grows_every_line_is_read_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], cuts: list[int]
) -> None:
    file = tmp_path_factory.mktemp("grow") / "f"
    data = "".join(line + "\n" for line in lines).encode()
    borders = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    growing, found = GrowingFile(file), list[str]()

    for start, end in itertools.pairwise(borders):
        append(file, data[start:end])
        found += growing.read()

    assert [*found, *growing.finish()] == [line.strip() for line in lines if line.strip()]


def test_a_line_that_is_too_long_is_said_and_its_end_is_no_line(tmp_path: Path) -> None:
    file, growing = tmp_path / "f", GrowingFile(tmp_path / "f")
    append(file, b"one\n" + b"x" * (9 << 20) + b"tail\ntwo\n")

    assert list(growing.finish()) == ["one", "two"]
    assert growing.losses == {"long line": "f has a line of more than 8 MiB, which was not read"}
