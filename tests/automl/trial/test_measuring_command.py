"""The user's own command after the training: what it reports, and everything that can go wrong with it."""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING

import pytest

from automl.architectures.load import load_architecture
from automl.launch.local import LocalLauncher
from automl.study.trial import TrialResult, TrialState
from automl.trial.measuring_command import measure_more
from tests.automl.trial.flat_task import flat_task
from tests.scripted_launcher import Script, ScriptedLauncher, ScriptedWrite

if TYPE_CHECKING:
    from pathlib import Path

    from automl.launch.base import Launcher
    from automl.study.trial import Measurement


def measure(  # noqa: PLR0913 # by name
    study: Path,
    command: str | None,
    *,
    state: TrialState = TrialState.COMPLETED,
    limit_s: float = 60.0,
    ends: bool = False,
    container: ScriptedLauncher | None = None,
    spec_sha256: str = "",
) -> tuple[TrialResult, list[Measurement]]:
    directory = study / "trials" / "0007"
    directory.mkdir(parents=True)
    (directory / "spec.yaml").write_text("{}", encoding="utf-8")
    task = flat_task(
        number=7,
        assignment={},
        study_directory=study,
        directory=directory,
        template="train {config_path}",
        spec={},
        tag="measuring/0007/1",
        naming=load_architecture("toy").checkpoints,
        evaluate_with=command,
        evaluate_s=limit_s,
        image="tao:6" if container else None,
        read_only=(study / "data",) if container else (),
        credentials=("HF_TOKEN",),
    )
    result = TrialResult(
        number=7,
        state=state,
        assignment={},
        directory="trials/0007",
        values={"val/d1": 0.5} if state.has_value else {},
        best_epoch=2,
        checkpoint="trials/0007/model.pth",
        spec_sha256=spec_sha256,
    )
    reported: list[Measurement] = []
    launcher: Launcher = container or LocalLauncher()
    try:
        return measure_more(task, launcher, result, report=reported.append, must_end=lambda: ends), reported
    finally:
        launcher.close()


def test_the_last_line_that_is_a_json_object_is_read_and_reported_at_the_best_epoch(tmp_path: Path) -> None:
    lines = ("{}", "loading", '{"params": 3, "ok": true}', "done")

    result, reported = measure(tmp_path, "; ".join(f"echo '{line}'" for line in lines))

    assert result.values == {"val/d1": 0.5, "params": 3.0}
    assert [(m.epoch, m.values) for m in reported] == [(2, {"params": 3.0})]
    assert "ok is not a finite number" in result.reason


def test_the_places_are_given_in_the_command_and_in_the_environment(tmp_path: Path) -> None:
    study = tmp_path / "a study"
    script = study / "measure.py"
    study.mkdir()
    script.write_text(
        "import json, os, sys\n"
        "checkpoint, spec, metrics = sys.argv[1:]\n"
        "assert os.getcwd() == os.environ['EVALUATE_TRIAL_DIR'] == os.path.dirname(spec)\n"
        "assert os.environ['EVALUATE_CHECKPOINT'] == checkpoint\n"
        "assert checkpoint.endswith('a study/trials/0007/model.pth')\n"
        "json.dump({'latency_ms': 4.5, 'val/d1': 0.1}, open(metrics, 'w'))\n",
        encoding="utf-8",
    )

    result, _ = measure(study, f"{sys.executable} -S '{script}' {{checkpoint}} {{spec}} {{metrics}}")

    # What the trainer reported stays: it is what the study was steered by.
    assert (result.values, result.reason) == ({"val/d1": 0.5, "latency_ms": 4.5}, "")


def test_a_command_may_have_shell_syntax(tmp_path: Path) -> None:
    result, _ = measure(tmp_path, """echo '{"size": 1}' | sed "s/1/$((40 + 2))/" """)

    assert result.values["size"] == 42.0


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("exit 3; echo {checkpoint}", "exit status 3; see evaluate_with.log"),
        ("no-such-program {checkpoint}", "could not be started"),
        ("echo nothing", "no line of evaluate_with.log is a JSON object"),
        ("""echo '{"size": NaN}'""", "size is not a finite number"),
        ("echo 'open", "could not be started"),
    ],
)
def test_a_command_that_fails_is_reported_and_changes_nothing_else(tmp_path: Path, command: str, reason: str) -> None:
    result, reported = measure(tmp_path, command)

    assert (result.state, result.values, reported) == (TrialState.COMPLETED, {"val/d1": 0.5}, [])
    assert reason in result.reason


def test_a_command_that_takes_too_long_or_outlives_the_study_is_ended(tmp_path: Path) -> None:
    slow, _ = measure(tmp_path / "a", "sleep 60; echo {spec}", limit_s=0.3)
    ended, _ = measure(tmp_path / "b", "sleep 60; echo {spec}", ends=True)

    assert "longer than its limit of 0.3 s" in slow.reason
    assert "ended with the study" in ended.reason


def test_nothing_is_run_for_a_trial_without_a_value_or_a_task_without_a_command(tmp_path: Path) -> None:
    diverged, _ = measure(tmp_path / "a", "exit 3", state=TrialState.DIVERGED)
    plain, _ = measure(tmp_path / "b", None)

    assert (diverged.reason, plain.reason) == ("", "")
    assert not list(tmp_path.rglob("*.log"))


def test_in_a_container_it_sees_what_the_training_saw_and_what_it_names(tmp_path: Path) -> None:
    script = tmp_path / "mine/measure.py"
    script.parent.mkdir()
    script.touch()
    launcher = ScriptedLauncher(lambda _: Script(writes=(ScriptedWrite(text='{"params": 3}\n'),)))

    measure(tmp_path, f"python {script} {{spec}}", container=launcher)

    (request,) = launcher.requests
    assert (request.image, request.credentials) == ("tao:6", ("HF_TOKEN",))
    assert {tmp_path / "data", script} <= set(request.read_only)
    assert request.writable == (tmp_path / "trials/0007",)


def test_with_a_spec_that_was_changed_since_the_training_nothing_is_measured(tmp_path: Path) -> None:
    trained = hashlib.sha256(b"{}").hexdigest()

    same, _ = measure(tmp_path / "same", "echo '{\"params\": 3}'", spec_sha256=trained)
    other, _ = measure(tmp_path / "other", "echo '{\"params\": 3}'", spec_sha256="0" * 64)

    assert same.values["params"] == 3.0
    assert "params" not in other.values
    assert "spec.yaml is not what the trial was started with" in other.reason
