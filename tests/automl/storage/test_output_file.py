"""What a user names for an output: only an earlier output of the same kind is replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.regular_file import NotAFileError
from automl.storage.output_file import require_output

if TYPE_CHECKING:
    from pathlib import Path

MARK = "written by us"


def test_a_new_file_and_an_earlier_one_may_be_written(tmp_path: Path) -> None:
    (tmp_path / "old").write_text(f"first\n{MARK}\n", encoding="utf-8")

    require_output(tmp_path / "old", mark=MARK, kind="a report")
    require_output(tmp_path / "new", mark=MARK, kind="a report")
    require_output(tmp_path / "more" / "new", mark=MARK, kind="a report")


@pytest.mark.parametrize("content", ["", "lr = 0.1\n", "x" * 5000 + MARK])
def test_another_file_is_refused_also_behind_a_link(tmp_path: Path, content: str) -> None:
    (tmp_path / "train.py").write_text(content, encoding="utf-8")
    (tmp_path / "link").symlink_to("train.py")

    for name in ("train.py", "link"):
        with pytest.raises(ConfigurationError, match="a file that is not a report") as caught:
            require_output(tmp_path / name, mark=MARK, kind="a report")
        assert caught.value.problems[0].where == str(tmp_path / name)


@pytest.mark.parametrize("name", ["plan.json", "events.jsonl", "trials/0000/new.html", "report.json"])
def test_a_place_in_a_study_is_refused_but_that_of_its_report(tmp_path: Path, name: str) -> None:
    (tmp_path / "plan.json").write_text(MARK, encoding="utf-8")

    with pytest.raises(ConfigurationError, match="a place in the study"):
        require_output(tmp_path / name, mark=MARK, kind="a report")
    require_output(tmp_path / "report.html", mark=MARK, kind="a report")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAFileError, match="a folder"):
        require_output(tmp_path, mark=MARK, kind="a report")
