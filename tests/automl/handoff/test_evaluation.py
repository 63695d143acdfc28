"""The starting checkpoint and the best one are evaluated by themselves; whatever comes of it, the study is kept."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.handoff.action_spec import ActionOptions
from automl.handoff.best import select_best
from automl.handoff.evaluation import Evaluator, local_evaluator
from automl.resources import builtin_skill
from automl.skill.load import load_skill
from automl.storage.event_log import EventLog, read_log
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan
from automl.storage.study_directory import read_evaluations
from automl.study.evaluation import ActionStatus, Delta, Evaluation
from automl.tracking.mlflow.projection import Projection
from automl.tracking.mlflow.uploads import STUDY_RUN, UploadKind
from tests.automl.handoff.depth_study import SPEC, write_depth_study
from tests.scripted_launcher import Script, ScriptedLauncher, ScriptedWrite

if TYPE_CHECKING:
    from pathlib import Path

    from automl.launch.base import LaunchRequest
    from automl.skill.model import JsonValue


def reporting(name: str, *values: float) -> ScriptedLauncher:
    """Return a launcher whose jobs report one value each, the last one again and again."""
    left = list(values)

    def choose(request: LaunchRequest) -> Script:
        del request
        value = left.pop(0) if len(left) > 1 else left[0]
        line = f'{{"status": "RUNNING", "message": "Test metrics generated.", "kpi": {{"{name}": {value}}}}}\n'
        return Script(writes=(ScriptedWrite(text=line, file="evaluate/status.json"),))

    return ScriptedLauncher(choose)


def evaluator(root: Path, launcher: ScriptedLauncher, *, test: str | None = None) -> Evaluator:
    folder = builtin_skill("depth_net_mono")
    assert folder is not None
    return Evaluator(root=root, skill=load_skill(folder), launcher=launcher, options=ActionOptions(), test=test)


def with_start(folder: Path, checkpoint: str) -> Path:
    """Write a study whose training starts from a checkpoint."""
    spec: dict[str, JsonValue] = {**SPEC, "train": {"num_epochs": 2, "pretrained_model_path": checkpoint}}
    return write_depth_study(folder / "demo", training=spec).root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    directory = write_depth_study(tmp_path / "demo")
    select_best(directory.root)
    return directory.root


def evaluated(root: Path, launcher: ScriptedLauncher, *, test: str | None = None) -> dict[str, Evaluation]:
    evaluator(root, launcher, test=test).best()
    return read_evaluations(root)


def test_a_value_that_comes_out_again_is_reproduced(root: Path) -> None:
    found = evaluated(root, reporting("val/d1", 0.5001))["champion"]

    assert (found.status, found.is_reproduced, found.data) == ("measured", True, "validation")
    assert found.deltas["trial"].difference == pytest.approx(0.0001)
    assert found.deltas["trial"].is_better is True


def test_another_value_on_the_same_data_is_not_reproduced(root: Path) -> None:
    assert evaluated(root, reporting("val/d1", 0.4))["champion"].is_reproduced is False


def test_test_data_is_evaluated_too_and_not_compared_with_the_trial(root: Path) -> None:
    test = root / "test.txt"
    test.write_text("a.png a.exr\n", encoding="utf-8")
    launcher = reporting("val/d1", 0.5, 0.45)

    found = evaluated(root, launcher, test=str(test))

    assert len(launcher.requests) == 2
    assert (found["champion"].value, found["champion_test"].value) == (0.5, 0.45)
    assert (found["champion_test"].data, found["champion_test"].is_reproduced) == (str(test), None)
    assert str(test) in (root / "actions/evaluate-2/spec.yaml").read_text(encoding="utf-8")


def test_a_champion_that_is_the_same_after_a_resume_is_not_evaluated_again(root: Path) -> None:
    evaluated(root, reporting("val/d1", 0.5))
    launcher = reporting("val/d1", 0.5)

    evaluated(root, launcher)

    assert not launcher.requests


def test_an_evaluation_without_the_objective_is_unavailable(root: Path) -> None:
    found = evaluated(root, reporting("val/other", 0.4))["champion"]

    assert found.status == ActionStatus.UNAVAILABLE
    assert "val/d1" in found.reason


def test_a_failing_evaluation_says_why_and_loses_nothing(root: Path) -> None:
    script = Script(writes=(ScriptedWrite(text="CUDA out of memory\n"),), exit_status=1)

    found = evaluated(root, ScriptedLauncher(lambda _: script))["champion"]

    assert (found.status, found.value) == ("failed", None)
    assert "out of" in found.reason
    assert (root / "best.json").is_file()


def test_a_skill_that_vanished_is_a_failed_evaluation_and_no_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ConfigurationError("the skill is gone")

    monkeypatch.setattr("automl.handoff.evaluation.run_action", refuse)

    assert evaluated(root, reporting("val/d1", 0.5))["champion"].reason == "the skill is gone"


def test_an_evaluation_that_hangs_is_ended(root: Path) -> None:
    hangs = evaluator(root, ScriptedLauncher(lambda _: Script(exit_status=None)))
    limited = dataclasses.replace(hangs, options=ActionOptions(time_limit_s=0.2))

    limited.best()

    assert read_evaluations(root)["champion"].reason == "it was ended after its limit of 0.2 s"


def test_a_study_without_a_champion_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        evaluator(tmp_path, reporting("val/d1", 0.5)).best()


def test_a_starting_checkpoint_is_the_baseline_of_the_best(tmp_path: Path) -> None:
    start = tmp_path / "start.pth"
    start.write_bytes(b"weights")
    root = with_start(tmp_path, str(start))
    select_best(root)
    evaluating = evaluator(root, reporting("val/d1", 0.3, 0.5))

    evaluating.baseline()
    evaluating.best()

    found = read_evaluations(root)
    assert (found["baseline"].value, found["baseline"].checkpoint) == (0.3, str(start))
    assert found["champion"].deltas["baseline"] == Delta(reference=0.3, difference=0.2, is_better=True)


@pytest.mark.parametrize(("start", "reason"), [("", "names no checkpoint"), ("/nowhere/a.pth", "which is not there")])
def test_without_a_starting_checkpoint_there_is_no_baseline_and_a_reason(
    tmp_path: Path, start: str, reason: str
) -> None:
    root = with_start(tmp_path, start)
    launcher = reporting("val/d1", 0.3)

    evaluator(root, launcher).baseline()

    assert not launcher.requests
    assert read_evaluations(root)["baseline"].status == "unavailable"
    assert reason in read_evaluations(root)["baseline"].reason


def test_the_runs_of_both_lie_under_trials_so_that_the_studys_children_are_its_trials(tmp_path: Path) -> None:
    start = tmp_path / "start.pth"
    start.write_bytes(b"weights")
    root = with_start(tmp_path, str(start))
    select_best(root)
    evaluating = evaluator(root, reporting("val/d1", 0.3, 0.5))
    evaluating.baseline()
    evaluating.best()

    log = StudyPaths(root).events_file
    start_of_record = log.stat().st_size
    evaluating.record(EventLog(log))
    evaluating.record(EventLog(log))

    recorded = list(read_log(log, start_of_record))
    assert len(recorded) == 3
    projection = Projection(read_plan(StudyPaths(root)), StudyPaths(root))
    uploads = [upload for entry in recorded for upload in projection.uploads(entry)]
    runs = {upload.run: upload.data["parent"] for upload in uploads if upload.kind is UploadKind.RUN}
    assert runs == {"evaluate-1": "0000", "evaluate-2": "0000"}
    metrics = [upload for upload in uploads if upload.run == STUDY_RUN and upload.kind is UploadKind.METRICS]
    assert [upload.data["values"] for upload in metrics] == [
        {"automl.evaluated.baseline": 0.3, "automl.evaluated.champion": 0.5}
    ]


def test_a_skill_without_the_action_says_so_for_both(tmp_path: Path) -> None:
    root = write_depth_study(tmp_path / "demo").root
    select_best(root)
    complete = evaluator(root, reporting("val/d1", 0.5))
    skill = dataclasses.replace(complete.skill, actions={"train": complete.skill.actions["train"]})

    dataclasses.replace(complete, skill=skill).baseline()

    assert read_evaluations(root)["baseline"].reason == "the skill depth_net_mono has no action evaluate"


def test_the_local_evaluator_can_be_closed_unused(tmp_path: Path) -> None:
    root = write_depth_study(tmp_path / "demo").root

    evaluating = local_evaluator(root, load_skill("toy"), None)

    evaluating.launcher.close()
