from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from automl.storage.paths import StudyPaths
from automl.study.causes import Origin, OriginKind
from automl.study.state import TrialRecord
from automl.study.trial import Proposal
from automl.trial.attempts import Change, Start, measured_by, next_start
from tests.automl.executor.toy_study import toy_plan

if TYPE_CHECKING:
    from pathlib import Path

    from automl.study.model import StudyPlan


class Trial:
    """Trial 3 of a study, whose attempts are started as the study would."""

    def __init__(self, root: Path) -> None:
        self.paths = StudyPaths(root)
        self.plan: StudyPlan = toy_plan(root / "skill", trials=1)
        self.record = TrialRecord(Proposal(number=3, assignment={}, origin=Origin(OriginKind.TEMPLATE)))

    def begin(self, *epochs: int, change: Change | None = None) -> Start:
        """Start the next attempt; it measures and saves these epochs."""
        self.record.change = asdict(change) if change else {}
        start = next_start(self.plan, self.paths, self.record)
        folder = self.paths.attempt(3, start.attempt).root
        folder.mkdir(parents=True)
        self.record.starts.append(start.document(self.paths))
        for epoch in epochs:
            with (folder / "status.json").open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({"epoch": epoch, "kpi": {"val/d1": 0.1 * epoch}}) + "\n")
            (folder / f"model_epoch_{epoch:03d}.pth").write_bytes(b"weights")
        return start


def test_an_attempt_continues_from_the_last_checkpoint_of_all_that_continue_each_other(tmp_path: Path) -> None:
    trial = Trial(tmp_path)

    starts = [trial.begin(0, 1), trial.begin(2), trial.begin()]

    assert [start.first_epoch for start in starts] == [0, 2, 3]
    assert starts[2].checkpoint == tmp_path / "trials/0003.2/model_epoch_002.pth"
    assert starts[2].earlier == (tmp_path / "trials/0003", tmp_path / "trials/0003.2")


def test_the_seconds_of_earlier_attempts_count(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    trial.begin(0)
    trial.record.spent_s = 42.0

    assert trial.begin().earlier_s == 42.0


def test_a_trainer_that_cannot_be_given_a_checkpoint_starts_from_scratch(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    action = replace(trial.plan.skill.actions["train"], spec_params={})
    trial.plan = replace(trial.plan, skill=replace(trial.plan.skill, actions={"train": action}))

    trial.begin(0, 1)

    assert trial.begin() == Start(attempt=2)


def test_after_a_start_from_scratch_older_attempts_do_not_count(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    trial.begin(0, 1, 2)
    trial.begin(0, change=Change(is_afresh=True))

    start = trial.begin()

    assert start.first_epoch == 1
    assert measured_by(trial.paths, trial.record)[0] == tmp_path / "trials/0003.2"


def test_what_was_changed_for_memory_stays_changed_in_later_attempts(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    trial.begin(0)
    trial.begin(0, change=Change(changes={"quality": 0.5}, remark="memory ran out"))

    start = trial.begin()

    assert (dict(start.changes), start.remark, start.first_epoch) == ({"quality": 0.5}, "memory ran out", 1)
    assert start.earlier == (tmp_path / "trials/0003.2",)


def test_a_paused_trial_continues_from_the_very_epoch_that_was_evaluated(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    trial.begin(0, 1, 2)
    trial.record.paused_at = 1

    start = trial.begin()

    assert start.first_epoch == 2
    assert start.checkpoint == tmp_path / "trials/0003/model_epoch_001.pth"


def test_a_directory_that_a_dead_driver_made_is_not_used_again(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    trial.begin(0)
    (tmp_path / "trials/0003.2").mkdir()

    assert trial.begin().attempt == 3


def test_a_start_is_read_as_it_was_written(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    trial.begin(0, 1)

    start = trial.begin()

    written = json.loads(json.dumps(start.document(trial.paths)))
    assert Start.of_document(written, tmp_path) == start
    assert written["checkpoint"] == "trials/0003/model_epoch_001.pth"
