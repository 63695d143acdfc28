from __future__ import annotations

import math
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from depth_net.actions import train as train_action
from depth_net.actions.train import count_steps, count_threads, require_validation
from depth_net.config.choices import Precision
from depth_net.config.train import TrainConfig
from depth_net.errors import SpecError
from depth_net.execution import Request, execute
from depth_net.spec import load_spec
from depth_net.task import DepthTask
from depth_net.training.devices import DevicePlan, plan_devices
from depth_net.training.divergence import DivergenceMonitor
from tests.depth_net.data.builders import write_depth_mm
from tests.depth_net.specs import RELATIVE, read_status, write_spec
from tests.depth_net.training.recorded_graph import ProcessorRecorder

if TYPE_CHECKING:
    from torch import Tensor


def run(spec: Path, *overrides: str) -> int:
    return execute(Request(action="train", spec=spec, overrides=overrides))


def read_checkpoint(path: Path) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    return checkpoint


def assert_same_run(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert first["state_dict"].keys() == second["state_dict"].keys()
    for name, tensor in first["state_dict"].items():
        assert torch.equal(tensor, second["state_dict"][name]), name
    states = [checkpoint["optimizer_states"][0]["state"] for checkpoint in (first, second)]
    for index, state in states[0].items():
        for name, value in state.items():
            assert torch.equal(value, states[1][index][name]), (index, name)
    assert first["lr_schedulers"] == second["lr_schedulers"]
    assert (first["epoch"], first["global_step"]) == (second["epoch"], second["global_step"])


@pytest.fixture(scope="module")
def every_step(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two epochs and six steps with a checkpoint after each step; its spec."""
    spec = write_spec(tmp_path_factory.mktemp("every_step"))
    words = ("train.checkpoint_interval_unit=step", "train.keep_checkpoints=0", "train.panels=true")
    assert run(spec, *words) == 0
    return spec


def test_status_lines_have_the_messages_and_the_order_of_the_reference(every_step: Path) -> None:
    lines = read_status(every_step.parent / "results" / "train")

    reported = [(line["status"], line["message"], line.get("epoch")) for line in lines if "code" not in line]
    assert reported == [
        ("STARTED", "Starting Depth Net train.", None),
        ("STARTED", "Starting Training Loop.", None),
        ("RUNNING", "Eval metrics generated.", 0),
        ("RUNNING", "Training loop in progress", 0),
        ("RUNNING", "Train metrics generated.", 0),
        ("RUNNING", "Eval metrics generated.", 1),
        ("RUNNING", "Training loop in progress", 1),
        ("RUNNING", "Train metrics generated.", 1),
        ("RUNNING", "Training loop complete.", None),
        ("RUNNING", "Train finished successfully.", None),
    ]


def test_kpi_has_the_names_of_the_reference_and_stays_until_replaced(every_step: Path) -> None:
    lines = read_status(every_step.parent / "results" / "train")

    evaluated, progress, trained = (line for line in lines if line.get("epoch") == 1)
    assert set(list(evaluated["kpi"])[:5]) == {"val/loss", "val/d1", "val/d2", "val/d3", "val/abs_rel"}
    assert {"val/rmse", "val/silog", "val/d1_constant", "val/d1_image_mean"} <= evaluated["kpi"].keys()
    assert progress["kpi"] == evaluated["kpi"]
    assert list(trained["kpi"]) == ["train_loss"]
    assert progress["max_epoch"] == 1
    assert progress["max_step"] == 6
    assert progress["eta"] == "0:00:00"
    assert progress["step"] == 6


def test_checkpoints_have_the_names_of_the_reference_and_relative_links(every_step: Path) -> None:
    folder = every_step.parent / "results" / "train"

    names = sorted(path.name for path in folder.glob("model_*"))
    assert names == [
        f"model_epoch_{epoch:03d}_step_{step:05d}.pth"
        for epoch, step in ((0, 1), (0, 2), (0, 3), (1, 4), (1, 5), (1, 6))
    ]
    assert (folder / "dn_model_latest.pth").readlink() == Path(names[-1])
    assert (folder / "dn_model_best.pth").resolve().is_file()
    assert not list(folder.glob(".*"))


def test_a_checkpoint_has_the_published_names_and_says_what_it_holds(every_step: Path) -> None:
    checkpoint = read_checkpoint(every_step.parent / "results" / "train" / "dn_model_latest.pth")

    groups = {".".join(name.split(".")[:2]) for name in checkpoint["state_dict"]}
    assert groups == {"model.pretrained", "model.metric_depth_head"}
    assert checkpoint["depth_net"]["model_type"] == "MetricDepthAnything"
    assert checkpoint["depth_net"]["encoder"] == "vit_tiny"
    assert checkpoint["depth_net"]["max_depth"] == 10.0
    assert checkpoint["depth_net"]["input_mean"] == [0.485, 0.456, 0.406]
    assert "pytorch-lightning_version" in checkpoint


def test_panels_are_written_at_each_validation(every_step: Path) -> None:
    panels = sorted(path.name for path in (every_step.parent / "results" / "train" / "panels").iterdir())

    assert panels == ["epoch_000_step_00003.png", "epoch_001_step_00006.png"]


@pytest.mark.parametrize(
    "name", ["model_epoch_000_step_00003", "model_epoch_000_step_00002", "model_epoch_001_step_00004"]
)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(every_step: Path, tmp_path: Path, name: str) -> None:
    finished = every_step.parent / "results" / "train"
    words = (
        f"train.resume_training_checkpoint_path={finished / name}.pth",
        f"results_dir={tmp_path}",
        "train.checkpoint_interval_unit=step",
    )

    exit_status = run(every_step, *words)

    assert exit_status == 0
    last = read_checkpoint(finished / "dn_model_latest.pth")
    assert_same_run(last, read_checkpoint(tmp_path / "train" / "dn_model_latest.pth"))
    reported = [read_status(folder) for folder in (finished, tmp_path / "train")]
    kpis = [[line["kpi"] for line in lines if line.get("epoch") == 1] for lines in reported]
    assert kpis[0] == kpis[1]


@pytest.mark.parametrize("schedule", ["CosineAnnealingLR", "OneCycleLR"])
def test_a_run_that_goes_on_with_other_rates_trains_with_the_rates_of_its_spec(tmp_path: Path, schedule: str) -> None:
    spec = write_spec(tmp_path)
    words = (f"train.optim.lr_scheduler={schedule}", "train.checkpoint_interval_unit=step", "train.keep_checkpoints=0")
    changed = (*words, "train.optim.lr=0.0002", "train.optim.weight_decay=0.03")
    for name, more in (("slow", words), ("fast", changed)):
        assert run(spec, *more, f"results_dir={tmp_path / name}") == 0
    parent = tmp_path / "slow" / "train" / "model_epoch_000_step_00003.pth"

    named = f"train.resume_training_checkpoint_path={parent}"
    assert run(spec, *changed, named, f"results_dir={tmp_path / 'copy'}") == 0

    for step in (4, 5, 6):
        fast, copy = (
            read_checkpoint(tmp_path / name / "train" / f"model_epoch_001_step_{step:05d}.pth")
            for name in ("fast", "copy")
        )
        groups, expected = (c["optimizer_states"][0]["param_groups"] for c in (copy, fast))
        for name in ("lr", "initial_lr", "weight_decay", "betas"):
            assert [group[name] for group in groups] == [group[name] for group in expected]
        assert copy["lr_schedulers"][0]["last_epoch"] == step
        # The moments are the checkpoint's: they have seen every step.
        assert copy["optimizer_states"][0]["state"][0]["step"] == step


def test_a_run_in_an_old_folder_goes_on_and_says_so(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    assert run(spec, "train.num_epochs=1") == 0

    assert run(spec) == 0

    lines = read_status(tmp_path / "results" / "train")
    resumed = [line for line in lines if line["message"].startswith("Resuming training from checkpoint: ")]
    assert resumed[0]["message"].endswith("model_epoch_000_step_00003.pth")
    assert [line["init"] for line in lines if "init" in line] == ["random"]  # the first run alone
    assert [line["epoch"] for line in lines if line["message"] == "Eval metrics generated."] == [0, 1]


def test_a_finished_run_in_an_old_folder_warns_that_nothing_is_left_to_train(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    assert run(spec, "train.num_epochs=1") == 0

    assert run(spec, "train.num_epochs=1") == 0

    codes = [line.get("code") for line in read_status(tmp_path / "results" / "train")]
    assert codes.count("nothing_to_train") == 1


def test_resume_never_starts_anew(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    assert run(spec, "train.num_epochs=1") == 0

    assert run(spec, "train.num_epochs=1", "train.resume=never") == 0

    lines = read_status(tmp_path / "results" / "train")
    assert [line["epoch"] for line in lines if line["message"] == "Eval metrics generated."] == [0, 0]


def test_a_loss_that_is_not_finite_ends_the_run_with_a_failure_line(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)

    exit_status = run(spec, "train.optim.lr=1e30", "train.num_epochs=5")

    last = read_status(tmp_path / "results" / "train")[-1]
    assert exit_status == 1
    assert last["status"] == "FAILURE"
    assert last["code"] == "diverged"
    assert (last["epoch"], last["step"]) == (0, 1)
    assert "epoch 0, step 1" in last["message"]


def test_no_checkpoint_follows_a_loss_that_is_not_finite_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LateMonitor(DivergenceMonitor):
        def __init__(self, device: torch.device, *, shared: bool) -> None:
            super().__init__(device, shared=shared)
            self._immediate = False  # as on a GPU

    monkeypatch.setattr("depth_net.task.DivergenceMonitor", LateMonitor)
    spec = write_spec(tmp_path)

    exit_status = run(spec, "train.optim.lr=1e30", "train.checkpoint_interval_unit=step", "train.keep_checkpoints=0")

    folder = tmp_path / "results" / "train"
    assert exit_status == 1
    assert read_status(folder)[-1]["code"] == "diverged"
    assert [path.name for path in folder.glob("model_*")] == ["model_epoch_000_step_00001.pth"]


def test_a_constant_output_is_reported_with_a_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write_spec(tmp_path)

    def constant(self: DepthTask, batch: Any, batch_idx: int) -> Tensor:  # noqa: ANN401 - Lightning's signature
        for parameter in self.model.head_parameters():
            parameter.data.zero_()
        return DepthTask_step(self, batch, batch_idx)

    DepthTask_step = DepthTask.training_step  # noqa: N806 - the original method
    monkeypatch.setattr(DepthTask, "training_step", constant)

    exit_status = run(spec, "train.optim.lr=1e-20", "train.num_epochs=1")

    assert exit_status == 0
    warnings = [line for line in read_status(tmp_path / "results" / "train") if line.get("code") == "collapsed"]
    assert warnings[0]["verbosity"] == "WARNING"


@pytest.mark.parametrize("moment", ["training_step", "validation_step"])
def test_sigterm_leaves_a_checkpoint_from_which_the_run_goes_on_exactly(
    every_step: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    original = getattr(DepthTask, moment)
    handler = signal.getsignal(signal.SIGTERM)

    def interrupted(self: DepthTask, batch: Any, batch_idx: int) -> Tensor | None:  # noqa: ANN401 - Lightning's signature
        if self.trainer.global_step in (1, 3) and batch_idx < 2:
            os.kill(os.getpid(), signal.SIGTERM)
        result: Tensor | None = original(self, batch, batch_idx)
        return result

    monkeypatch.setattr(DepthTask, moment, interrupted)
    words = (f"results_dir={tmp_path}", "train.panels=true")
    assert run(every_step, *words) == 143
    stopped = read_status(tmp_path / "train")[-1]
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGTERM) is handler

    assert run(every_step, *words) == 0

    assert stopped["status"] == "STOPPED"
    assert stopped["code"] == "interrupted"
    finished = read_checkpoint(every_step.parent / "results" / "train" / "dn_model_latest.pth")
    assert_same_run(finished, read_checkpoint(tmp_path / "train" / "dn_model_latest.pth"))


def test_images_without_ground_truth_are_skipped_and_counted(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    write_depth_mm(tmp_path / "train" / "depth_2.png", value=0)

    assert run(spec) == 0

    lines = read_status(tmp_path / "results" / "train")
    ends = [line for line in lines if line["message"] == "Train metrics generated."]
    assert [line["skipped_images"] for line in ends] == [1, 1]
    assert all(math.isfinite(line["kpi"]["train_loss"]) for line in ends)


def test_only_the_newest_and_the_best_checkpoints_are_kept(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)

    assert run(spec, "train.num_epochs=4", "train.keep_checkpoints=1", "train.optim.lr=1e-3") == 0

    folder = tmp_path / "results" / "train"
    kept = {path.name for path in folder.glob("model_*")}
    best = (folder / "dn_model_best.pth").resolve().name
    assert kept == {"model_epoch_003_step_00012.pth", best}


def test_two_runs_with_one_seed_are_equal_and_another_seed_differs(every_step: Path, tmp_path: Path) -> None:
    finished = read_checkpoint(every_step.parent / "results" / "train" / "dn_model_latest.pth")
    assert run(every_step, f"results_dir={tmp_path / 'same'}") == 0
    assert run(every_step, f"results_dir={tmp_path / 'other'}", "train.seed=2") == 0

    same = read_checkpoint(tmp_path / "same" / "train" / "dn_model_latest.pth")
    other = read_checkpoint(tmp_path / "other" / "train" / "dn_model_latest.pth")
    assert_same_run(finished, same)
    assert not torch.equal(
        finished["state_dict"]["model.pretrained.cls_token"], other["state_dict"]["model.pretrained.cls_token"]
    )


@pytest.mark.parametrize("accumulate", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_recorded_training_step_gives_the_run_of_an_ordinary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accumulate: int
) -> None:
    spec, recorder = write_spec(tmp_path), ProcessorRecorder()
    words = (
        f"train.accumulate_grad_batches={accumulate}",
        f"train.num_epochs={accumulate + 1}",
        "dataset.val_dataset.batch_size=1",
    )
    assert run(spec, *words) == 0

    monkeypatch.setattr(train_action, "choose_recorder", lambda *_args, **_steps: recorder)
    assert run(spec, *words, f"results_dir={tmp_path / 'recorded'}") == 0

    assert recorder.replayed > 0
    assert recorder.is_released
    folders = tmp_path / "results" / "train", tmp_path / "recorded" / "train"
    ordinary, recorded = (read_checkpoint(folder / "dn_model_latest.pth") for folder in folders)
    # A learning rate is rounded to 32 bits in a recording.
    torch.testing.assert_close(recorded["state_dict"], ordinary["state_dict"], rtol=1e-4, atol=1e-6)
    assert recorded["lr_schedulers"] == ordinary["lr_schedulers"]
    assert recorded["global_step"] == ordinary["global_step"]
    groups = [checkpoint["optimizer_states"][0]["param_groups"] for checkpoint in (recorded, ordinary)]
    assert groups[0] == groups[1]
    losses = [
        [line["kpi"]["train_loss"] for line in read_status(f) if "train_loss" in line.get("kpi", {})] for f in folders
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    # Validation: prediction and scores of the one shape of these images.
    assert recorder.recorded == 2 + accumulate
    validated = [read_status(folder)[-1]["kpi"] for folder in folders]
    for name in (name for name in validated[0] if name.startswith("val/")):
        assert validated[0][name] == pytest.approx(validated[1][name], rel=1e-4), name


def test_a_recorded_run_that_is_resumed_equals_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = write_spec(tmp_path)
    monkeypatch.setattr(train_action, "choose_recorder", lambda *_args, **_steps: ProcessorRecorder())
    words = ("train.num_epochs=3", "train.checkpoint_interval_unit=step", "train.keep_checkpoints=0")
    assert run(spec, *words) == 0
    finished = tmp_path / "results" / "train"

    middle = f"train.resume_training_checkpoint_path={finished / 'model_epoch_001_step_00005.pth'}"
    assert run(spec, *words, middle, f"results_dir={tmp_path / 'again'}") == 0

    last = read_checkpoint(finished / "dn_model_latest.pth")
    assert_same_run(last, read_checkpoint(tmp_path / "again" / "train" / "dn_model_latest.pth"))


def test_accumulated_batches_make_fewer_optimiser_steps(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)

    assert run(spec, "train.accumulate_grad_batches=3", "train.num_epochs=1") == 0

    assert (tmp_path / "results" / "train" / "model_epoch_000_step_00001.pth").is_file()


def test_a_relative_model_trains_and_ignores_a_depth_range_aloud(tmp_path: Path) -> None:
    spec = write_spec(tmp_path, model_type=RELATIVE)

    assert run(spec, "train.num_epochs=1", "dataset.max_depth=10", "dataset.min_depth=0.1") == 0

    lines = read_status(tmp_path / "results" / "train")
    reported = [line["message"] for line in lines if "depth range" in line["message"]]
    assert len(reported) == 1
    assert "it is ignored" in reported[0]
    kpi = next(line["kpi"] for line in lines if "kpi" in line)
    assert 0 < kpi["val/d1_constant"] < 1
    assert math.isfinite(kpi["val/loss"])


def test_activation_checkpointing_changes_no_weight(every_step: Path, tmp_path: Path) -> None:
    assert run(every_step, f"results_dir={tmp_path}", "train.activation_checkpoint=true") == 0

    finished = read_checkpoint(every_step.parent / "results" / "train" / "dn_model_latest.pth")
    assert_same_run(finished, read_checkpoint(tmp_path / "train" / "dn_model_latest.pth"))


def test_a_dry_run_leaves_no_checkpoint(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)

    assert run(spec, "train.is_dry_run=true") == 0

    assert not list((tmp_path / "results" / "train").glob("*.pth"))


def test_a_batch_larger_than_the_data_is_reported_with_both_numbers(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)

    exit_status = run(spec, "dataset.train_dataset.batch_size=7")

    last = read_status(tmp_path / "results" / "train")[-1]
    assert exit_status == 1
    assert last["status"] == "FAILURE"
    assert "7" in last["message"]
    assert "6" in last["message"]


def test_steps_are_counted_with_accumulation_and_without_the_last_part_of_a_batch(tmp_path: Path) -> None:
    config = load_spec(write_spec(tmp_path), ["train.accumulate_grad_batches=2"])
    plan = plan_devices(config.train, {})

    assert count_steps(config, 7, plan) == 2
    with pytest.raises(SpecError, match="batch_size"):
        count_steps(config, 1, plan)
    with pytest.raises(SpecError, match="found 1 images for 2 processes"):
        require_validation(1, replace(plan, nodes=2))


@pytest.mark.parametrize(
    ("asked", "gpus", "offered", "threads"), [(0, 0, 16, 16), (0, 1, 16, 4), (0, 8, 16, 2), (0, 8, 4, 1), (6, 2, 16, 6)]
)
def test_processes_of_one_run_share_the_processor(asked: int, gpus: int, offered: int, threads: int) -> None:
    plan = DevicePlan(on_gpu=gpus > 0, devices=tuple(range(gpus)), nodes=1, precision=Precision.BF16, notices=())

    assert count_threads(TrainConfig(threads=asked), plan, offered) == threads


def test_the_module_can_be_loaded_by_its_action_name() -> None:
    assert callable(train_action.run)
