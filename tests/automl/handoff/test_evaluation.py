"""The champion is evaluated again, and its value must come out again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.handoff.action_spec import ActionOptions
from automl.handoff.actions import ActionStatus
from automl.handoff.champion import crown_champion
from automl.handoff.evaluation import evaluate_champion
from automl.launch.scripted import Script, ScriptedLauncher, ScriptedWrite
from tests.automl.handoff.depth_study import write_depth_study

if TYPE_CHECKING:
    from pathlib import Path


def reporting(name: str, value: float) -> ScriptedLauncher:
    line = json.dumps({"status": "RUNNING", "message": "Test metrics generated.", "kpi": {name: value}}) + "\n"
    return ScriptedLauncher(lambda _: Script(writes=(ScriptedWrite(text=line, file="evaluate/status.json"),)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    directory = write_depth_study(tmp_path / "demo")
    crown_champion(directory.root)
    return directory.root


def test_a_value_that_comes_out_again_is_reproduced(root: Path) -> None:
    evaluation, result = evaluate_champion(root, reporting("val/d1", 0.5001))

    assert evaluation.is_reproduced is True
    assert evaluation.difference == pytest.approx(0.0001)
    written = json.loads((root / "final_evaluation.json").read_text(encoding="utf-8"))
    assert (written["value"], written["in_study"], written["action"]) == (0.5001, 0.5, result.key)


def test_another_value_on_the_same_data_is_not_reproduced(root: Path) -> None:
    assert evaluate_champion(root, reporting("val/d1", 0.4))[0].is_reproduced is False


def test_other_data_is_not_compared(root: Path) -> None:
    (root / "test.txt").write_text("a.png a.exr\n", encoding="utf-8")
    options = ActionOptions(data={"dataset.test_dataset.data_sources[0].data_file": str(root / "test.txt")})

    evaluation, _ = evaluate_champion(root, reporting("val/d1", 0.4), options)

    assert evaluation.is_reproduced is None
    assert evaluation.value == 0.4


def test_an_evaluation_without_the_objective_is_unavailable(root: Path) -> None:
    evaluation, _ = evaluate_champion(root, reporting("val/other", 0.4))

    assert evaluation.status is ActionStatus.UNAVAILABLE
    assert "val/d1" in evaluation.reason


def test_a_failing_evaluation_does_not_lose_the_study(root: Path) -> None:
    evaluation, _ = evaluate_champion(root, ScriptedLauncher(lambda _: Script(exit_status=1)))

    assert evaluation.status is ActionStatus.FAILED
    assert evaluation.value is None
    assert (root / "best.json").is_file()


def test_a_study_without_a_champion_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        evaluate_champion(tmp_path, reporting("val/d1", 0.5))
