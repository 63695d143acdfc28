"""Retention: what cannot win is deleted, what may still be needed never."""

from __future__ import annotations

import collections
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from automl.architectures.load import load_architecture
from automl.executor.retention import retire_checkpoints, winners
from automl.storage.event_log import read_log
from automl.storage.paths import StudyPaths
from automl.study.objectives import Direction, Objective, parse_constraints
from automl.study.result import StudyResult
from automl.study.state import Phase, StudyState, apply
from automl.study.trial import TrialResult, TrialState

NAMING = load_architecture("depth_net_mono").checkpoints
DRIVER = Path(__file__).parent / "plain_driver.py"
SLOTS, EPOCHS = 2, 4


def trained(study: StudyPaths, number: int, *, best: int | None = 1, attempt: int = 1) -> TrialResult:
    folder = study.attempt(number, attempt).root / "train"
    folder.mkdir(parents=True)
    for epoch in range(3):
        (folder / f"model_epoch_{epoch:03d}_step_{epoch:05d}.pth").write_text("weights", encoding="utf-8")
    (folder / "dn_model_latest.pth").symlink_to("model_epoch_002_step_00002.pth")
    (folder / "status.json").write_text("{}", encoding="utf-8")
    checkpoint = f"trials/{number:04d}/train/model_epoch_{best:03d}_step_{best:05d}.pth" if best is not None else None
    return TrialResult(
        number=number,
        state=TrialState.COMPLETED,
        assignment={},
        directory=f"trials/{number:04d}",
        checkpoint=checkpoint,
        attempt=attempt,
    )


def left(study: StudyPaths) -> list[str]:
    return sorted(str(path.relative_to(study.trials)) for path in study.trials.rglob("*.pth"))


def test_only_the_best_epoch_of_the_incumbent_stays(tmp_path: Path) -> None:
    study = StudyPaths(tmp_path)
    results = [trained(study, number) for number in range(3)]

    freed = retire_checkpoints(study, results, NAMING, kept={1})

    assert left(study) == ["0001/train/model_epoch_001_step_00001.pth"]
    assert len(freed) == 8
    assert sum(freed.values()) == 8 * len("weights")


def test_trials_that_may_still_run_are_not_touched(tmp_path: Path) -> None:
    study = StudyPaths(tmp_path)
    ended = trained(study, 0)
    trained(study, 1)

    retire_checkpoints(study, [ended], NAMING, kept=set())

    assert len(left(study)) == 4


def test_all_attempts_of_a_trial_are_cleared(tmp_path: Path) -> None:
    study = StudyPaths(tmp_path)
    trained(study, 0)

    retire_checkpoints(study, [trained(study, 0, attempt=2)], NAMING, kept=set())

    assert left(study) == []


def test_a_kept_trial_whose_best_checkpoint_is_unknown_keeps_everything(tmp_path: Path) -> None:
    study = StudyPaths(tmp_path)

    freed = retire_checkpoints(study, [trained(study, 0, best=None)], NAMING, kept={0})

    assert freed == {}


def test_status_files_stay(tmp_path: Path) -> None:
    study = StudyPaths(tmp_path)

    retire_checkpoints(study, [trained(study, 0)], NAMING, kept=set())

    assert (study.attempt(0).root / "train/status.json").is_file()


def test_a_file_that_cannot_be_deleted_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = StudyPaths(tmp_path)
    result = trained(study, 0)

    def refuse(path: str, **_: object) -> None:
        raise PermissionError(path)

    monkeypatch.setattr("os.unlink", refuse)

    assert retire_checkpoints(study, [result], NAMING, kept=set()) == {}


def behind_a_link(study: StudyPaths) -> Path:
    """Move a trial's folder out of the study, and leave a link to it."""
    elsewhere = study.root.parent / "elsewhere"
    study.attempt(0).root.rename(elsewhere)
    study.attempt(0).root.symlink_to(elsewhere)
    return elsewhere / "train"


def test_files_behind_a_link_are_not_deleted(tmp_path: Path) -> None:
    study = StudyPaths(tmp_path / "demo")
    result = trained(study, 0)
    train = behind_a_link(study)

    freed = retire_checkpoints(study, [result], NAMING, kept=set())

    assert freed == {}
    assert len(list(train.iterdir())) == 5


def test_of_files_behind_a_link_those_are_deleted_that_the_study_recorded(tmp_path: Path) -> None:
    study = StudyPaths(tmp_path / "demo")
    result = trained(study, 0)
    train = behind_a_link(study)
    recorded = train / "model_epoch_002_step_00002.pth"

    freed = retire_checkpoints(study, [replace(result, files_behind_links=(str(recorded),))], NAMING, kept=set())

    assert len(freed) == 1
    assert not recorded.exists()
    assert len(list(train.glob("model_*.pth"))) == 2


def test_a_kept_checkpoint_is_known_by_every_path_that_leads_to_it(tmp_path: Path) -> None:
    study = StudyPaths(tmp_path)
    best = trained(study, 0)
    study.attempt(1).root.symlink_to(study.attempt(0).root)
    other = replace(best, number=1, directory="trials/0001", checkpoint=None)

    retire_checkpoints(study, [best, other], NAMING, kept={0}, needed=[tmp_path / str(best.checkpoint)])

    assert (tmp_path / str(best.checkpoint)).is_file()


def test_folders_that_a_person_has_made_beside_the_attempts_are_not_touched(tmp_path: Path) -> None:
    study = StudyPaths(tmp_path)
    result = trained(study, 0)
    shutil.copytree(study.attempt(0).root, study.trials / "0000.backup")

    retire_checkpoints(study, [result], NAMING, kept=set())

    assert len(list((study.trials / "0000.backup/train").glob("model_*.pth"))) == 3


def test_a_study_whose_trials_are_a_link_records_and_deletes_its_own_checkpoints_there(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    (scratch / "0001").mkdir(parents=True)
    placed = scratch / "0001/model_epoch_000.pth"
    placed.write_text("by hand", encoding="utf-8")
    (tmp_path / "study").mkdir()
    (tmp_path / "study/trials").symlink_to(scratch)

    subprocess.run([sys.executable, str(DRIVER), str(tmp_path), "qmc", "none", "1", "3"], check=True)

    assert placed.read_text(encoding="utf-8") == "by hand"
    assert len(list(scratch.rglob("model_epoch_*.pth"))) == 2


def test_a_trial_that_misses_a_constraint_does_not_keep_its_checkpoint_from_the_one_that_can_win() -> None:
    objective = Objective(metric="val/d1", direction=Direction.MAXIMIZE)
    trials = [
        TrialResult(
            number=n, state=TrialState.COMPLETED, assignment={}, directory="", values={"val/d1": d1, "memory_gib": gib}
        )
        for n, (d1, gib) in enumerate([(0.5, 30.0), (0.9, 50.0), (0.7, 40.0)])
    ]

    constraints = parse_constraints(["memory_gib <= 40"])
    assert winners(StudyResult(objective=objective, trials=tuple(trials), constraints=constraints)) == {2}


def test_the_whole_pareto_front_keeps_its_checkpoints() -> None:
    objectives = [
        Objective(metric="val/d1", direction=Direction.MAXIMIZE),
        Objective(metric="size", direction=Direction.MINIMIZE),
    ]
    measured = [(0.5, 1.0), (0.9, 3.0), (0.8, 4.0)]
    trials = [
        TrialResult(
            number=n, state=TrialState.COMPLETED, assignment={}, directory="", values={"val/d1": d1, "size": size}
        )
        for n, (d1, size) in enumerate(measured)
    ]

    study = StudyResult(objective=objectives[0], trials=tuple(trials), further=(objectives[1],))
    assert winners(study) == {0, 1}


def test_there_are_never_more_checkpoints_than_slots_and_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEPS_ONE", "1")  # what a running trial keeps is its trainer's affair

    samples = watched(tmp_path, "none", trials=8)

    assert max(sum(counts.values()) for counts, _ in samples) in {SLOTS + 1, SLOTS + 2}
    assert sum(1 for _ in tmp_path.rglob("model_epoch_*.pth")) == 1


@pytest.mark.slow
def test_copies_have_no_more_checkpoints_than_slots_and_two_beside_those_that_they_started_from(tmp_path: Path) -> None:
    samples = watched(tmp_path, "pbt", trials=7)

    started_from = SLOTS  # one for each copy that runs
    assert max(len(counts) for counts, _ in samples) <= SLOTS + 2 + started_from
    assert max(sum(counts.values()) for counts, _ in samples) <= SLOTS * EPOCHS + 2 + started_from
    assert sum(1 for _ in tmp_path.rglob("model_epoch_*.pth")) == 1


def test_a_paused_trial_keeps_what_it_goes_on_from_and_its_best_epoch(tmp_path: Path) -> None:
    samples = watched(tmp_path, "asha", trials=8)

    kept = [counts[number] for counts, paused in samples for number in paused]
    assert kept
    assert set(kept) == {1}  # this trainer gets better with every epoch
    assert max(len(counts.keys() - paused) for counts, paused in samples) <= SLOTS + 2
    assert sum(1 for _ in tmp_path.rglob("model_epoch_*.pth")) == 1


def watched(root: Path, rule: str, *, trials: int) -> list[tuple[collections.Counter[str], set[str]]]:
    """Run a study and look, again and again, how many checkpoints each trial has and which trials are paused."""
    samples = []
    command = [sys.executable, str(DRIVER), str(root), "qmc", rule, str(SLOTS), str(trials)]
    with subprocess.Popen(command) as study:
        while study.poll() is None:
            before = paused_trials(root) if rule == "asha" else {}
            seen = [*root.glob("study/trials/*/**/model_epoch_*.pth")]
            files = [file for file in seen if file.exists()]  # all at once, when the last one was seen
            counts = collections.Counter(file.relative_to(root / "study/trials").parts[0][:4] for file in files)
            # A trial that was promoted and is paused again has another attempt.
            after = paused_trials(root) if before else {}
            samples.append((counts, {number for number, attempt in before.items() if after.get(number) == attempt}))
            time.sleep(0.005)
    assert study.returncode == 0
    return samples


def paused_trials(root: Path) -> dict[str, int]:
    """Return the paused trials and their attempts, where the study is done with them.

    It deletes after a pause, or the end of a paused trial, is in its log, before it goes on. So a trial counts that was
    paused before the last line of the log and is so after it.
    """
    state, paused = StudyState(), dict[str, int]()
    for entry in read_log(StudyPaths(root / "study").events_file):
        paused = {f"{trial.number:04d}": trial.attempt for trial in state.in_phase(Phase.PAUSED)}
        apply(state, entry.event, entry.time)
    still = {f"{trial.number:04d}" for trial in state.in_phase(Phase.PAUSED)}
    return {number: attempt for number, attempt in paused.items() if number in still}
