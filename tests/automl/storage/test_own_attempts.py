"""Each attempt has a token, by which its folder is known, whatever stands in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.storage.documents import write_document
from automl.storage.event_log import EventLog
from automl.storage.held_study import ReplacedFolderError
from automl.storage.own_attempts import require_new_attempt, require_own_attempt
from automl.storage.own_documents import write_own
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_state
from automl.study.causes import Origin, OriginKind
from automl.study.events import TrialEnded, TrialProposed, TrialStarted
from automl.study.trial import TrialResult, TrialState
from tests.automl.study.examples import study_started

if TYPE_CHECKING:
    from pathlib import Path


def study(root: Path, *tokens: str, ended: int = 0) -> StudyPaths:
    """Make a study with attempts that have these tokens; the first ones have ended."""
    paths = StudyPaths(root)
    root.mkdir()
    log = EventLog(paths.events_file)
    log.append(study_started(trials=9, max_epochs=None))
    for number, token in enumerate(tokens):
        attempt = paths.attempt(number)
        attempt.root.mkdir(parents=True)
        start = {"attempt": 1, "token": token}
        write_document(attempt.start_file, start, dict[str, object])
        directory = paths.relative(attempt.root)
        log.append(TrialProposed(trial=number, assignment={}, origin=Origin(OriginKind.TEMPLATE)))
        log.append(
            TrialStarted(trial=number, attempt=1, origin="", assignment={}, directory=directory, start=start, gpus=())
        )
        if number < ended:
            log.append(
                TrialEnded(TrialResult(number=number, state=TrialState.COMPLETED, assignment={}, directory=directory))
            )
    log.close()
    return paths


def aside(path: Path) -> Path:
    return path.rename(path.with_name(f"{path.name}-aside"))


def test_a_folder_with_another_token_is_not_that_of_the_attempt(tmp_path: Path) -> None:
    own = study(tmp_path / "own", "a", "b")

    require_own_attempt(own.attempt(0), "a")
    with pytest.raises(ReplacedFolderError, match="trials/0000 is the folder of another attempt now"):
        require_own_attempt(own.attempt(0), "b")
    own.attempt(0).start_file.unlink()
    require_own_attempt(own.attempt(0), "a")  # its trainer began with an empty folder


def test_a_link_to_the_trials_of_another_study_is_refused_by_whoever_reads_the_study(tmp_path: Path) -> None:
    own, other = study(tmp_path / "own", "a", "b", ended=1), study(tmp_path / "other", "c", "d")
    aside(own.trials)
    own.trials.symlink_to(other.trials)

    with pytest.raises(ConfigurationError, match="a link to the folders of another study's trials"):
        read_state(own)


@pytest.mark.parametrize(("name", "ended"), [("0000", 0), ("0000", 1), ("0000.2", 0), ("0005", 0)])
def test_a_link_to_the_folder_of_another_attempt_is_refused(tmp_path: Path, name: str, ended: int) -> None:
    own, other = study(tmp_path / "own", "a", "b", ended=ended), study(tmp_path / "other", "c", "d")
    if (own.trials / name).exists():
        aside(own.trials / name)
    (own.trials / name).symlink_to(other.attempt(1).root)

    with pytest.raises(ConfigurationError, match="a link to the folder of no attempt that the log names") as error:
        read_state(own, with_starts=False)

    assert error.value.problems[0].where == str(own.trials / name)


def test_a_link_to_a_folder_without_a_token_is_refused(tmp_path: Path) -> None:
    own = study(tmp_path / "own", "a")
    aside(own.attempt(0).root)
    (tmp_path / "foreign").mkdir()
    own.attempt(0).root.symlink_to(tmp_path / "foreign")

    with pytest.raises(ConfigurationError, match="no attempt that the log names"):
        read_state(own)


@pytest.mark.parametrize("name", ["trials", "trials/0001"])
def test_own_folders_behind_a_link_are_read(tmp_path: Path, name: str) -> None:
    own = study(tmp_path / "own", "a", "b")
    moved = (own.root / name).rename(tmp_path / "moved")
    (own.root / name).symlink_to(moved)

    assert len(read_state(own).trials) == 2


def test_studies_of_an_earlier_version_have_no_tokens(tmp_path: Path) -> None:
    own = study(tmp_path / "own", "", "")
    moved = own.trials.rename(tmp_path / "moved")
    own.trials.symlink_to(moved)

    assert len(read_state(own).trials) == 2
    require_own_attempt(own.attempt(0), "")


def test_an_attempt_begins_in_no_folder_of_another_attempt(tmp_path: Path) -> None:
    own, known = study(tmp_path / "own", "a", "b"), ["a"]
    plan = tmp_path / "other" / "plan.json"
    plan.parent.mkdir()
    write_document(plan, {"name": "other"}, dict[str, str], token="other")  # noqa: S106 # of a study

    require_new_attempt(own, own.attempt(1), known)  # left by a driver that was killed before it wrote its log
    require_new_attempt(own, own.attempt(2), known)
    with pytest.raises(ReplacedFolderError, match="trials/0000 is the folder of another attempt now"):
        require_new_attempt(own, own.attempt(0), known)
    write_own(StudyPaths(plan.parent), own.attempt(1).start_file, {"token": "c"}, dict[str, str])
    with pytest.raises(ReplacedFolderError, match="trials/0001 is the folder of another attempt now"):
        require_new_attempt(own, own.attempt(1), known)
