from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from depth_net.whole_file import whole

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    place = tmp_path / "new" / "a.txt"

    with whole(place) as unfinished:
        unfinished.write_text("half", encoding="utf-8")
        assert not place.exists()

    assert place.read_text(encoding="utf-8") == "half"
    assert [path.name for path in place.parent.iterdir()] == ["a.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old", encoding="utf-8")

    with pytest.raises(ZeroDivisionError), whole(tmp_path / "a.txt") as unfinished:
        unfinished.write_text(str(1 / 0), encoding="utf-8")

    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_in_the_way_is_kept_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()

    with pytest.raises(OSError, match=r"a\.txt"), whole(tmp_path / "a.txt") as unfinished:
        unfinished.write_text("new", encoding="utf-8")

    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
