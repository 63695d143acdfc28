"""Annotation files of every shape that people write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depth_net.data.annotations import count_without_depth, quote_column, read_annotations, split_columns
from depth_net.errors import DataError
from tests.depth_net.data.builders import write_depth_mm, write_picture

if TYPE_CHECKING:
    from pathlib import Path


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _write(folder: Path, text: str) -> Path:
    file = folder / "list.txt"
    file.write_bytes(text.encode())
    return file


@pytest.mark.parametrize(
    ("line", "columns"),
    [
        ("a.png b.png", ("a.png", "b.png")),
        ("a.png\t\tb.png  ", ("a.png", "b.png")),
        ("  a.png    b.png", ("a.png", "b.png")),
        ("\"my image.png\" 'its depth.png'", ("my image.png", "its depth.png")),
        ("a.png b.png # seen twice", ("a.png", "b.png")),
        ("# a.png b.png", ()),
        ("", ()),
        ("it's.png b#1.png", ("it's.png", "b#1.png")),
        ('"#1.png"', ("#1.png",)),
    ],
)
def test_a_line_is_split_at_blanks_outside_quotes(line: str, columns: tuple[str, ...]) -> None:
    assert split_columns(line) == columns


@given(
    st.text(st.characters(blacklist_characters="\r\n\"'", blacklist_categories=("Cs", "Zl", "Zp", "Cc")), min_size=1)
)
def test_a_quoted_path_is_read_back_unchanged(path: str) -> None:
    assert split_columns(quote_column(path)) == (path,)


def test_a_path_with_both_kinds_of_quotes_and_a_blank_is_refused() -> None:
    with pytest.raises(DataError, match="both kinds of quotes"):
        quote_column("a \"b' c.png")


def test_one_two_and_three_columns_give_image_and_ground_truth(tmp_path: Path) -> None:
    _touch(tmp_path, "a.png", "b.png", "c.png", "d.png")
    file = _write(tmp_path, "a.png\na.png b.png\na.png d.png c.png\na.png d.png c.png d.png\n")

    rows = read_annotations(file)

    assert [row.depth and row.depth.name for row in rows] == [None, "b.png", "c.png", "c.png"]
    assert [row.line for row in rows] == [1, 2, 3, 4]


def test_windows_line_ends_blank_lines_comments_and_a_byte_order_mark_are_accepted(tmp_path: Path) -> None:
    _touch(tmp_path, "a.JPG", "b.png", "c d.png")
    file = _write(tmp_path, '\ufeffa.JPG\tb.png\r\n\r\n# pause\r\n  \r\n"c d.png" b.png\r\n')

    rows = read_annotations(file)

    assert [(row.image.name, row.line) for row in rows] == [("a.JPG", 1), ("c d.png", 5)]


def test_relative_paths_are_found_from_the_working_directory_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _touch(tmp_path, "here/x/a.png", "lists/x/a.png", "lists/x/only.png")
    (tmp_path / "lists/list.txt").write_text("x/a.png\nx/only.png\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "here")

    first, second = read_annotations(tmp_path / "lists/list.txt")

    assert first.image.resolve() == tmp_path / "here/x/a.png"
    assert second.image == tmp_path / "lists/x/only.png"


def test_all_bad_lines_are_counted_and_five_are_shown(tmp_path: Path) -> None:
    _touch(tmp_path, "good.png", "note.bmp")
    bad = "".join(f"missing_{index}.png\n" for index in range(6))
    file = _write(tmp_path, f"good.png\ngood.png gone.png\nnote.bmp\n{bad}")

    with pytest.raises(DataError) as caught:
        read_annotations(file)

    assert str(caught.value).splitlines() == [
        f"annotation file {file}: 8 of 9 lines cannot be used",
        "  line 2: ground truth not found: gone.png",
        "  line 3: unsupported image type .bmp: note.bmp (expected .png, .jpg or .jpeg)",
        "  line 4: image not found: missing_0.png",
        "  line 5: image not found: missing_1.png",
        "  line 6: image not found: missing_2.png",
        "  and 3 more",
    ]


def test_an_unquoted_path_with_a_blank_is_recognised(tmp_path: Path) -> None:
    _touch(tmp_path, "my image.png")

    with pytest.raises(DataError, match="put paths with spaces in quotes"):
        read_annotations(_write(tmp_path, "my image.png\n"))


@pytest.mark.parametrize("line", ["a.png my depth.png", "my image.png b.png", "my image.png my depth.png"])
def test_an_unquoted_path_with_a_blank_is_recognised_in_any_column(tmp_path: Path, line: str) -> None:
    _touch(tmp_path, "a.png", "b.png", "my image.png", "my depth.png")

    with pytest.raises(DataError, match=r"the file 'my \w+\.png' exists: put paths with spaces in quotes"):
        read_annotations(_write(tmp_path, line))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_what_windows_shells_write_is_read(tmp_path: Path, encoding: str) -> None:
    _touch(tmp_path, "ä.png", "b.png")
    file = tmp_path / "list.txt"
    file.write_bytes("ä.png b.png\r\n".encode(encoding))

    assert [row.image.name for row in read_annotations(file)] == ["ä.png"]


def test_an_absent_file_and_an_empty_file_are_different_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_annotations(tmp_path / "absent.txt")
    with pytest.raises(DataError, match="holds no sample"):
        read_annotations(_write(tmp_path, "# nothing yet\n\n"))


def test_a_name_that_no_file_can_have_is_reported_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_annotations(_write(tmp_path, "x" * 100_000))

    assert "line 1: image not found: xxx" in str(caught.value)
    assert "... (100000 letters)" in str(caught.value)
    assert len(str(caught.value)) < 1000


def _lines(folder: Path, text: str, *, name: str = "list.txt") -> list[tuple[str, str | None, str | None]]:
    (folder / name).write_text(text, encoding="utf-8")
    rows = read_annotations(folder / name, needs_depth=True)
    return [(row.image.name, _name(row.depth), _name(row.mask)) for row in rows]


def _name(path: Path | None) -> str | None:
    return None if path is None else path.name


def _write_files(folder: Path) -> None:
    write_picture(folder / "rgb.png")
    write_picture(folder / "right.png")
    write_picture(folder / "right.jpg")
    write_depth_mm(folder / "depth.png")
    for name in ("grey.png", "mask.png"):
        assert cv2.imwrite(str(folder / name), np.full((48, 64), 255, dtype=np.uint8))
    for name in ("depth.npy", "depth_mask.npy"):
        np.save(folder / name, np.ones((48, 64), dtype=np.float32))


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("rgb.png depth.png 518.8579", ("rgb.png", "depth.png", None)),
        ("/rgb.png /depth.png 721.5", ("rgb.png", "depth.png", None)),
        (".\\rgb.png .\\depth.png", ("rgb.png", "depth.png", None)),
        ("rgb.png right.png depth.png", ("rgb.png", "depth.png", None)),
        ("rgb.png right.jpg depth.npy", ("rgb.png", "depth.npy", None)),
        ("grey.png mask.png depth.png", ("grey.png", "depth.png", None)),
        ("rgb.png depth.png mask.png", ("rgb.png", "depth.png", "mask.png")),
        ("rgb.png depth.npy depth_mask.npy", ("rgb.png", "depth.npy", "depth_mask.npy")),
        ("rgb.png right.png depth.png mask.png", ("rgb.png", "depth.png", None)),
        ("rgb.png,depth.png", ("rgb.png", "depth.png", None)),
        ("rgb.png;depth.png;725.0", ("rgb.png", "depth.png", None)),
        ('"rgb.png", "depth.png"', ("rgb.png", "depth.png", None)),
    ],
)
def test_columns_are_distinguished_by_what_they_are(
    tmp_path: Path, line: str, row: tuple[str, str | None, str | None]
) -> None:
    _write_files(tmp_path)

    assert _lines(tmp_path, f"{line}\n") == [row]


@pytest.mark.parametrize(
    "text",
    [
        "image,depth\nrgb.png,depth.png\n",
        "depth_path;rgb_path;focal\ndepth.png;rgb.png;518\n",
        "Image\tDepth\nrgb.png\tdepth.png\n",
        "filename, gt, split\nrgb.png, depth.png, train\n",
    ],
)
def test_a_header_says_which_column_is_which(tmp_path: Path, text: str) -> None:
    _write_files(tmp_path)

    assert _lines(tmp_path, text, name="list.csv") == [("rgb.png", "depth.png", None)]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("image,mask,depth\ngrey.png,,depth.png\n", ("grey.png", "depth.png", None)),
        (",image,depth\n0,rgb.png,depth.png\n", ("rgb.png", "depth.png", None)),
        ("image;depth;mask\nrgb.png;depth.png;\n", ("rgb.png", "depth.png", None)),
        ("mask,depth,image\nmask.png,grey.png,rgb.png\n", ("rgb.png", "grey.png", "mask.png")),
    ],
)
def test_an_empty_cell_moves_no_other_one_below_its_header(
    tmp_path: Path, text: str, row: tuple[str, str | None, str | None]
) -> None:
    _write_files(tmp_path)

    assert _lines(tmp_path, text, name="list.csv") == [row]


def test_a_mask_is_not_taken_for_ground_truth_that_is_missing(tmp_path: Path) -> None:
    _write_files(tmp_path)
    (tmp_path / "list.csv").write_text("image,focal,depth,mask\nrgb.png,518,,mask.png\n", encoding="utf-8")

    assert [row.depth for row in read_annotations(tmp_path / "list.csv", needs_depth=True)] == [None]
    with pytest.raises(DataError, match="line 2: image not found: an empty cell"):
        _lines(tmp_path, "image,depth\n,depth.png\n", name="list.csv")


def test_rows_whose_ground_truth_is_none_are_left_out_where_it_is_needed(tmp_path: Path) -> None:
    _write_files(tmp_path)
    text = "rgb.png depth.png 721.5\nright.png None 721.5\n"

    assert _lines(tmp_path, text) == [("rgb.png", "depth.png", None)]
    assert [row.depth is None for row in read_annotations(tmp_path / "list.txt")] == [False, True]
    with pytest.raises(DataError, match=r"holds no sample \(1 lines whose ground truth is None\)"):
        _lines(tmp_path, "right.png None 721.5\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("rgb.png grey.png mask.png", "ambiguous: grey.png and mask.png may be right image and ground truth"),
        ("rgb.png depth.png right.jpg", "right.jpg is a picture beside the ground truth depth.png"),
        ("depth.npy rgb.png", "the columns seem to be swapped: depth.npy is no picture"),
    ],
)
def test_a_line_that_can_be_read_in_two_ways_is_refused_with_the_correct_form(
    tmp_path: Path, line: str, words: str
) -> None:
    _write_files(tmp_path)

    with pytest.raises(DataError, match=words) as caught:
        _lines(tmp_path, f"{line}\n")

    assert "write '<image> <ground truth>'" in str(caught.value)


def test_lines_that_say_none_are_counted(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "d.png"):
        (tmp_path / name).touch()
    (tmp_path / "list.txt").write_text("a.png d.png 721.5\nb.png None 721.5\n# c.png None\n", encoding="utf-8")

    assert count_without_depth(tmp_path / "list.txt") == 1
    assert count_without_depth(tmp_path) == 0
    assert [row.image.name for row in read_annotations(tmp_path / "list.txt", needs_depth=True)] == ["a.png"]
