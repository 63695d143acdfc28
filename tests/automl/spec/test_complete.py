"""What one run adds to a spec."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from automl.skill.load import load_skill
from automl.spec.build import build_spec
from automl.spec.complete import ActionRun, complete_spec
from automl.spec.model import Spec
from tests.automl.skill.packages import EVERY_FEATURE

if TYPE_CHECKING:
    from automl.skill.model import JsonValue

OUT = Path("/results/study/trials/0007")


def completed(run: ActionRun, action: str = "train", **overrides: object) -> Spec:
    skill = load_skill(EVERY_FEATURE)
    spec = build_spec(skill, "train", overrides=overrides) if action == "train" else Spec(values={})  # type: ignore[arg-type] # JSON
    return complete_spec(spec, skill, action, run)


def test_the_output_directory_and_the_assignment_are_the_trials() -> None:
    spec = completed(ActionRun(results_dir=OUT, assignment={"train.optim.lr": 0.5, "model.heads": 2}))

    assert spec.get("results_dir") == str(OUT)
    assert spec.get("train.optim.lr") == 0.5
    assert spec.origins["model.heads"] == "trial"


def test_policy_off_and_trial_0_have_the_same_spec_but_for_the_directory() -> None:
    off = completed(ActionRun(results_dir=Path("/a")))
    trial_0 = completed(ActionRun(results_dir=Path("/b"), assignment={"train.optim.lr": 2e-4}))

    assert off.values | {"results_dir": ""} == trial_0.values | {"results_dir": ""}


def test_an_output_directory_of_the_user_never_wins() -> None:
    assert completed(ActionRun(results_dir=OUT), results_dir="/mine").get("results_dir") == str(OUT)


def test_a_resumed_run_starts_from_its_checkpoint_and_from_nothing_else() -> None:
    run = ActionRun(results_dir=OUT, resume_checkpoint=Path("/r.pth"))

    spec = completed(run, **{"train.pretrained_model_path": "/mine.pth"})

    assert spec.get("train.resume_training_checkpoint_path") == "/r.pth"
    assert spec.get("train.pretrained_model_path") == ""


@pytest.mark.parametrize(
    ("parent", "filled", "empty"),
    [
        ("/m.pth", "evaluate.checkpoint", "evaluate.trt_engine"),
        ("/m.engine", "evaluate.trt_engine", "evaluate.checkpoint"),
    ],
)
def test_a_parent_goes_where_its_kind_fits(parent: str, filled: str, empty: str) -> None:
    spec = completed(ActionRun(results_dir=OUT, parent_checkpoint=Path(parent)), "evaluate")

    assert spec.get(filled) == parent
    assert not spec.has(empty)


def test_created_files_lie_in_the_runs_directory(tmp_path: Path) -> None:
    (tmp_path / "m.pth").write_bytes(b"")

    spec = completed(ActionRun(results_dir=OUT, parent_checkpoint=tmp_path / "m.pth"), "export")

    assert spec.get("export.onnx_file") == str(OUT / "every-feature_net.onnx")
    assert spec.get("export.onnx_file_2d") == str(OUT / "every-feature_net_2d.onnx")
    assert spec.get("export.folder") == str(tmp_path)
    assert not spec.has("export.unknown")


def test_a_download_is_used_once_it_is_there(tmp_path: Path) -> None:
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"")
    skill = load_skill(EVERY_FEATURE)
    train = skill.actions["train"]
    rule: dict[str, JsonValue] = {"model.download": {"link": "https://example.org/w", "destination_path": str(weights)}}
    skill = replace(skill, actions={"train": replace(train, spec_params=rule)})

    spec = complete_spec(build_spec(skill, "train"), skill, "train", ActionRun(results_dir=OUT))

    assert spec.get("model.download") == str(weights)


def test_the_key_of_the_template_is_kept() -> None:
    assert completed(ActionRun(results_dir=OUT)).get("encryption_key") == "tlt_encode"
