"""Samples of annotation files: bad lines with their numbers, and nothing blamed that may be meant so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.preflight.annotations import check_annotations, count_samples
from automl.preflight.findings import Level

if TYPE_CHECKING:
    from pathlib import Path

    from automl.preflight.findings import Finding


def check(folder: Path, text: str | bytes, name: str = "train.txt", *, sampled: int = 100) -> Finding:
    for image in ("a.png", "b.png", "with space.png"):
        (folder / image).touch()
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return check_annotations(file, sampled=sampled)


def test_good_lines_are_counted_without_comments(tmp_path: Path) -> None:
    finding = check(tmp_path, '# image depth\na.png b.png\n\n"with space.png" b.png\r\n')

    assert (finding.level, finding.found) == (Level.OK, "2 samples, 2 checked")


def test_the_first_bad_lines_are_shown_with_their_numbers(tmp_path: Path) -> None:
    lines = ["a.png b.png", "gone1.png b.png", "a.png b.png", *(f"gone{n}.png b.png" for n in range(4, 9))]

    finding = check(tmp_path, "\n".join(lines))

    assert finding.level is Level.FAIL
    assert "line 2: no file gone1.png; line 4: no file gone4.png; line 5: no file gone5.png; and 3 more" in (
        finding.found
    )
    assert str(tmp_path / "train.txt") in finding.fix


def test_relative_names_of_which_none_is_found_are_the_trainers_business(tmp_path: Path) -> None:
    finding = check(tmp_path, "images/x.png 3\nimages/y.png 4\n")

    assert finding.level is Level.WARN


def test_an_absolute_name_that_is_not_there_is_certain(tmp_path: Path) -> None:
    assert check(tmp_path, "/no/such/folder/x.png 3\n").level is Level.FAIL


def test_another_number_of_columns_is_doubted(tmp_path: Path) -> None:
    finding = check(tmp_path, "a.png b.png\na.png\na.png b.png\n")

    assert finding.level is Level.WARN
    assert "line 2: 1 column where others have 2" in finding.found


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("train.txt", "", "an empty file"),
        ("train.txt", "# only this\n", "no line with a sample"),
        ("train.json", "{not json", "not JSON"),
        ("train.jsonl", '{"a": 1}\n{oops\n', "line 2: not JSON"),
    ],
)
def test_what_no_trainer_can_read_fails(tmp_path: Path, name: str, text: str, said: str) -> None:
    finding = check(tmp_path, text, name)

    assert finding.level is Level.FAIL
    assert said in finding.found


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    assert "line 2: not UTF-8" in check(tmp_path, b"a.png b.png\n\xff\xfe b.png\n").found


def test_commas_in_quotes_separate_nothing(tmp_path: Path) -> None:
    assert check(tmp_path, 'a.png,"one, two"\nb.png,three\n', "train.csv").level is Level.OK


def test_coco_files_are_read_whole(tmp_path: Path) -> None:
    assert check(tmp_path, '{"images": [], "annotations": []}', "train.json").found == "JSON, 2 keys"


def test_a_sample_reaches_the_end_of_a_long_file(tmp_path: Path) -> None:
    text = "a.png b.png\n" * 5000 + "gone.png b.png\n" * 400

    finding = check(tmp_path, text, sampled=100)

    assert "no file gone.png" in finding.found
    assert "of 1" in finding.found  # about a hundred were looked at, not five thousand


def test_samples_are_counted_without_comments_and_blank_lines(tmp_path: Path) -> None:
    file = tmp_path / "train.txt"
    file.write_text("# header\na.jpg a.png\n\nb.jpg b.png\n", encoding="utf-8")

    assert count_samples(file) == 2
    assert count_samples(tmp_path) is None
    assert count_samples(tmp_path / "absent.txt") is None
