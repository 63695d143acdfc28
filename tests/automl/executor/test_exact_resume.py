"""Kill -9 of whoever runs a study, at any instant, then again: the trial table is that of a study nobody touched."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from automl.resolve import chosen_scheduler
from automl.schedulers.base import Action, Decision, Report
from automl.storage.event_log import read_log
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_results
from automl.study.ends import StopKind
from automl.study.events import Measured, StopDecided, TrialPromoted, TrialStarted
from tests.automl.executor.plain_driver import plan_of

DRIVER = Path(__file__).parent / "plain_driver.py"
_PATIENCE_S = 200


def start(root: Path, *settings: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(DRIVER), str(root), *map(str, settings)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(root: Path, *settings: object) -> str:
    """Run the study to its end; return what it wrote to stderr."""
    with start(root, *settings) as process:
        _, text = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 0, text
    return text


def kill_at_random(root: Path, kills: int, seed: int, *settings: object, slots: int) -> int:
    """Kill the study at random instants of its work, starting it again each time; return how often it was killed.

    With more slots it works faster, so it is killed sooner.
    """
    generator = random.Random(seed)  # noqa: S311 # instants, no secret
    killed = 0
    while killed < kills:
        before = progress(root)
        with start(root, *settings) as process:
            while process.poll() is None and progress(root) == before:
                try:
                    process.wait(0.02)
                except subprocess.TimeoutExpired:
                    continue
            try:
                process.wait(generator.uniform(0.0, 0.35 / slots))
            except subprocess.TimeoutExpired:
                process.kill()
                killed += 1
            else:
                return killed
    return killed


def progress(root: Path) -> int:
    return sum(file.stat().st_size for file in (root / "study").rglob("status.json"))


def table(root: Path) -> list[dict[str, Any]]:
    return [
        {
            "number": result.number,
            "assignment": dict(result.assignment),
            "state": result.state.value,
            "value": result.values.get("val/d1"),
            "best_epoch": result.best_epoch,
            "curve": result.curve,
        }
        for result in read_results(StudyPaths(root / "study"))
    ]


CASES = [("gp", "none", 1), ("tpe", "median", 1), ("gp", "asha", 1), ("random", "none", 2), ("qmc", "none", 3)]


def compare(tmp_path: Path, kills: int, case: tuple[str, str, int], trials: int) -> None:
    settings = (*case, trials)
    finish(tmp_path / "untouched", *settings)

    killed = kill_at_random(tmp_path / "killed", kills, 7, *settings, slots=case[2])
    finish(tmp_path / "killed", *settings)

    assert killed == kills
    assert table(tmp_path / "killed") == table(tmp_path / "untouched")
    attempts = list((tmp_path / "killed/study/trials").iterdir())
    assert len(attempts) > trials


@pytest.mark.parametrize("case", [CASES[2], CASES[3]], ids=lambda case: "-".join(map(str, case)))
def test_a_study_killed_four_times_ends_as_one_that_was_not(tmp_path: Path, case: tuple[str, str, int]) -> None:
    compare(tmp_path, 4, case, trials=6)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_a_study_killed_25_times_ends_as_one_that_was_not(tmp_path: Path, case: tuple[str, str, int]) -> None:
    compare(tmp_path, 25, case, trials=32 * max(1, case[2] - 1))


def test_every_decision_of_a_killed_study_follows_from_the_values_before_it(tmp_path: Path) -> None:
    settings = ("random", "asha", 2, 8)
    kill_at_random(tmp_path, 2, 11, *settings, slots=2)
    finish(tmp_path, *settings)

    rule = chosen_scheduler(plan_of(tmp_path, rule="asha", slots=2, trials=8))
    decisions: dict[int, Decision] = {}
    evaluated: set[tuple[int, int]] = set()
    decided = 0
    for event in (entry.event for entry in read_log(StudyPaths(tmp_path / "study").events_file)):
        match event:
            case TrialPromoted():
                rule.promote(event.trial)
            case Measured() if event.epoch is not None and (event.trial, event.epoch) not in evaluated:
                if event.trial in decisions and decisions[event.trial].action is not Action.CONTINUE:
                    continue
                evaluated.add((event.trial, event.epoch))
                report = Report(trial=event.trial, epoch=event.epoch, value=event.values["val/d1"])
                decisions[event.trial] = rule.decide(report)
            case StopDecided() if event.cause.kind in {StopKind.PAUSE, StopKind.SCHEDULER}:
                assert event.cause.detail == decisions[event.trial].reason
                decided += 1
            case TrialStarted():
                decisions.pop(event.trial, None)
            case _:
                pass
    assert decided
