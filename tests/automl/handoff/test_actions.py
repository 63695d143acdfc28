"""Actions after a study: launched with the exact checkpoint, how they end is a result, nothing is raised."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest
import yaml

from automl.errors import ConfigurationError
from automl.handoff.action_spec import ActionOptions
from automl.handoff.actions import ActionResult, action_launch, action_launcher, run_action
from automl.launch.container import ContainerLauncher
from automl.resources import builtin_skill
from automl.skill.load import load_skill
from automl.storage.documents import read_document, to_json
from automl.study.evaluation import ActionStatus
from automl.study.launch_plan import LauncherKind, LaunchPlan
from tests.automl.handoff.depth_study import CHECKPOINTS, write_depth_study
from tests.automl.launch.fake_engine import install_engine
from tests.scripted_launcher import Script, ScriptedJob, ScriptedLauncher, ScriptedWrite

if TYPE_CHECKING:
    from pathlib import Path

    from automl.launch.base import LaunchRequest

KPI = json.dumps({"status": "RUNNING", "message": "Test metrics generated.", "kpi": {"val/d1": 0.5}}) + "\n"
MEASURES = Script(writes=(ScriptedWrite(text=KPI, file="evaluate/status.json"),))


def test_an_action_that_reports_values_is_measured(tmp_path: Path) -> None:
    root = write_depth_study(tmp_path / "demo").root
    launcher = ScriptedLauncher(lambda _: MEASURES)

    result = run_action(root, "evaluate", launcher)

    assert result.status is ActionStatus.MEASURED
    assert (result.trial, result.epoch, dict(result.values)) == (0, 1, {"val/d1": 0.5})
    assert result.checkpoint == f"best/{CHECKPOINTS[1]}"
    (request,) = launcher.requests
    assert request.command == ("depth_net", "evaluate", "-e", str(root / "actions/evaluate-1/spec.yaml"))
    spec = yaml.safe_load((root / "actions/evaluate-1/spec.yaml").read_text(encoding="utf-8"))
    assert spec["evaluate"]["checkpoint"] == str(root / "best" / CHECKPOINTS[1])


def test_the_result_is_written_beside_what_the_action_wrote(tmp_path: Path) -> None:
    root = write_depth_study(tmp_path / "demo").root
    writes = (ScriptedWrite(text="onnx", file="depth_net_mono.onnx"), ScriptedWrite(text="log\n"))

    result = run_action(root, "export", ScriptedLauncher(lambda _: Script(writes=writes)))

    assert result.status is ActionStatus.DONE
    assert result.files == ("actions/export-1/depth_net_mono.onnx",)
    assert read_document(root / "actions/export-1/result.json", ActionResult) == result


class RemovingLauncher(ScriptedLauncher):
    """An action that removes its folder and makes it again, then prints."""

    def launch(self, request: LaunchRequest) -> ScriptedJob:
        with request.log.open("a", encoding="utf-8") as log:
            shutil.rmtree(request.directory)
            request.directory.mkdir()
            log.write("RuntimeError: CUDA out of memory\n")
        return super().launch(request)


@pytest.mark.parametrize("status", [0, 1])
def test_an_action_that_removes_its_folder_is_read_and_its_files_are_put_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    root = write_depth_study(tmp_path / "demo").root
    script = dataclasses.replace(MEASURES, exit_status=status)

    result = run_action(root, "evaluate", RemovingLauncher(lambda _: script))

    folder = root / "actions/evaluate-1"
    assert result.values == {"val/d1": 0.5}
    assert ("out of memory" in result.reason) == (status == 1)
    assert (folder / "evaluate.log").read_text(encoding="utf-8") == "RuntimeError: CUDA out of memory\n"
    assert yaml.safe_load((folder / "spec.yaml").read_text(encoding="utf-8"))["evaluate"]
    assert "evaluate-1: it removed what automl had written in its folder: evaluate.log was put back" in caplog.text


def test_a_pipe_in_the_place_of_the_result_of_an_action_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class PipeLauncher(ScriptedLauncher):
        def launch(self, request: LaunchRequest) -> ScriptedJob:
            os.mkfifo(request.directory / "result.json")
            return super().launch(request)

    root = write_depth_study(tmp_path / "demo").root

    run_action(root, "evaluate", PipeLauncher(lambda _: MEASURES))

    assert (root / "actions/evaluate-1/result.json").is_file()
    assert "evaluate-1: a named pipe in the place of result.json is result.own.json now" in caplog.text


def test_every_run_of_an_action_has_its_own_directory(tmp_path: Path) -> None:
    root = write_depth_study(tmp_path / "demo").root
    launcher = ScriptedLauncher(lambda _: MEASURES)

    keys = [run_action(root, "evaluate", launcher).key for _ in range(2)]

    assert keys == ["evaluate-1", "evaluate-2"]


def test_an_action_that_fails_says_why_and_raises_nothing(tmp_path: Path) -> None:
    root = write_depth_study(tmp_path / "demo").root
    script = Script(writes=(ScriptedWrite(text="RuntimeError: CUDA out of memory\n"),), exit_status=1)

    result = run_action(root, "evaluate", ScriptedLauncher(lambda _: script))

    assert result.status is ActionStatus.FAILED
    assert "out of memory" in result.reason


def test_an_action_that_cannot_be_started_failed(tmp_path: Path) -> None:
    root = write_depth_study(tmp_path / "demo").root

    result = run_action(root, "evaluate", ScriptedLauncher(lambda _: Script(start_error="no such file")))

    assert result.status is ActionStatus.FAILED
    assert "no such file" in result.reason


def test_an_action_that_the_skill_lacks_is_unavailable(tmp_path: Path) -> None:
    root = write_depth_study(tmp_path / "demo").root
    launcher = ScriptedLauncher(lambda _: MEASURES)

    result = run_action(root, "prune", launcher)

    assert result.status is ActionStatus.UNAVAILABLE
    assert "evaluate" in result.reason
    assert not launcher.requests


def test_a_trial_without_a_checkpoint_is_unavailable(tmp_path: Path) -> None:
    root = write_depth_study(tmp_path / "demo").root

    result = run_action(root, "evaluate", ScriptedLauncher(lambda _: MEASURES), ActionOptions(trial=0, epoch=9))

    assert result.status is ActionStatus.UNAVAILABLE
    assert "no checkpoint" in result.reason


def test_data_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    root = write_depth_study(tmp_path / "demo").root
    (root / "val.txt").unlink()
    launcher = ScriptedLauncher(lambda _: MEASURES)

    result = run_action(root, "evaluate", launcher)

    assert result.status is ActionStatus.UNAVAILABLE
    assert "val.txt, which is not there" in result.reason
    assert not launcher.requests


def test_options_that_do_not_fit_are_an_error_of_the_user(tmp_path: Path) -> None:
    root = write_depth_study(tmp_path / "demo").root

    with pytest.raises(ConfigurationError):
        run_action(
            root, "evaluate", ScriptedLauncher(lambda _: MEASURES), ActionOptions(overrides={"model.encoder": "vitl"})
        )


DOCKER = LaunchPlan(
    launcher=LauncherKind.DOCKER,
    reason="asked for",
    image="tao:6",
    image_source="--image",
    options={"network": "none"},
    credentials=("HF_TOKEN",),
)


def test_an_action_runs_in_the_image_and_by_the_launcher_of_the_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_engine(tmp_path / "bin", monkeypatch, rest='echo \'[{"Id": "sha256:1", "Size": 1}]\'')
    root = write_depth_study(tmp_path / "demo", launch=to_json(DOCKER)).root
    launcher = ScriptedLauncher(lambda _: MEASURES)

    run_action(root, "evaluate", launcher)

    assert isinstance(action_launcher(root), ContainerLauncher)
    (request,) = launcher.requests
    assert (request.image, dict(request.options), request.credentials) == ("tao:6", {"network": "none"}, ("HF_TOKEN",))
    assert request.writable == (root / "actions/evaluate-1",)
    assert any((root / "best" / CHECKPOINTS[1]).is_relative_to(path) for path in request.read_only)


def test_an_action_whose_image_cannot_be_had_has_failed_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_engine(tmp_path / "bin", monkeypatch, rest="echo 'unauthorized: authentication required' >&2; exit 1")
    root = write_depth_study(tmp_path / "demo", launch=to_json(DOCKER)).root

    result = run_action(root, "evaluate", ScriptedLauncher(lambda _: MEASURES))

    assert result.status is ActionStatus.FAILED
    assert "authentication required" in result.reason


def test_the_image_of_an_action_of_its_own_wins_over_the_one_the_training_was_given() -> None:
    skill = load_skill(str(builtin_skill("depth_net_mono")))
    own = dataclasses.replace(skill.actions["export"], image="deploy:6")

    assert action_launch(DOCKER, own, skill).image == "deploy:6"
    assert action_launch(DOCKER, skill.actions["export"], skill).image == "tao:6"
    in_skill = dataclasses.replace(DOCKER, image_source="the skill")
    assert (
        action_launch(in_skill, skill.actions["export"], dataclasses.replace(skill, image="skill:6")).image == "skill:6"
    )
    assert action_launch(LaunchPlan(), own, skill).image is None
