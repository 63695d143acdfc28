"""A link in place of what belongs to a study is followed to where its user keeps it, never into another study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.storage.documents import write_document
from automl.storage.own_documents import write_own
from automl.storage.own_folders import require_own_folders, study_around
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_state

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = ("actions", "best", "trials", "tracking", "tracking/mlflow", "spool")
FILES = ("evaluations.json", "best.json", "record.json", "events.jsonl", "journal.log", "best_spec.yaml")


def study(root: Path, token: str = "") -> StudyPaths:
    root.mkdir(parents=True)
    write_document(root / "plan.json", {"name": root.name}, dict[str, str], token=token)
    return StudyPaths(root)


def linked(own: StudyPaths, name: str, target: Path) -> Path:
    (own.root / name).parent.mkdir(exist_ok=True)
    (own.root / name).symlink_to(target)
    return own.root / name


@pytest.mark.parametrize("name", [*FOLDERS, *FILES])
def test_a_link_into_another_study_is_refused_by_whoever_reads_the_study(tmp_path: Path, name: str) -> None:
    own, other = study(tmp_path / "own"), study(tmp_path / "other")
    link = linked(own, name, other.root / name)

    with pytest.raises(ConfigurationError, match="a link into another study") as error:
        read_state(own)

    assert error.value.problems[0].where == str(link)


@pytest.mark.parametrize("name", [*FOLDERS, *FILES])
def test_a_link_to_elsewhere_within_the_study_or_to_nothing_is_followed(tmp_path: Path, name: str) -> None:
    own = study(tmp_path / "own")
    linked(own, name, tmp_path / "larger disk" / name)

    require_own_folders(own)
    (own.root / name).unlink()
    linked(own, name, own.root / "beside")
    require_own_folders(own)


def test_links_of_the_users_own_lead_where_they_like(tmp_path: Path) -> None:
    own, other = study(tmp_path / "own"), study(tmp_path / "other")
    linked(own, "the study before", other.root)

    require_own_folders(own)


@pytest.mark.parametrize("token", ["own", "other", ""])
def test_actions_on_another_disk_are_known_by_their_token(tmp_path: Path, token: str) -> None:
    own, owner = study(tmp_path / "own", "own"), study(tmp_path / "owner", token)
    disk = StudyPaths(tmp_path / "disk")
    disk.action("export-1").root.mkdir(parents=True)
    write_own(owner, disk.action("export-1").result_file, {"status": "done"}, dict[str, str])
    linked(own, "actions", disk.actions)

    if token == "own":  # noqa: S105 # of a study
        require_own_folders(own)
        return
    with pytest.raises(ConfigurationError, match="a link into another study"):
        require_own_folders(own)


def test_the_study_around_a_path_is_the_nearest_one_behind_links(tmp_path: Path) -> None:
    outer = study(tmp_path / "outer")
    inner = study(outer.root / "results" / "inner")
    (tmp_path / "link").symlink_to(inner.root)

    assert study_around(tmp_path / "link" / "trials" / "0000") == inner.root
    assert study_around(outer.actions) == outer.root
    assert study_around(tmp_path) is None
