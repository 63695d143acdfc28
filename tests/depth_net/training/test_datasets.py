from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from depth_net.actions.train import build_model
from depth_net.data.dataset import REPEATED, dataset_of
from depth_net.data.loaders import collate
from depth_net.data.sample_order import Share
from depth_net.errors import SpecError
from depth_net.spec import load_spec
from depth_net.task import DepthTask
from depth_net.training import datasets
from depth_net.training.datasets import DepthData
from tests.depth_net.data.builders import write_mixed
from tests.depth_net.specs import write_spec

if TYPE_CHECKING:
    from pathlib import Path


def test_loaders_have_the_batches_of_the_spec(tmp_path: Path) -> None:
    data = DepthData(load_spec(write_spec(tmp_path)), seed=1, on_gpu=False)

    batches = list(data.train_dataloader())
    assert len(batches) == 3
    assert batches[0]["image"].shape == (2, 3, 42, 42)
    assert [len(batch["image_path"]) for batch in data.val_dataloader()] == [2, 1]


def test_a_validation_does_not_depend_on_the_batch_size_when_images_differ_in_size(tmp_path: Path) -> None:
    spec, results = write_spec(tmp_path), []
    write_mixed(tmp_path / "val", 7)
    for size in (1, 2, 7):
        config = load_spec(spec, [f"dataset.val_dataset.batch_size={size}"])
        torch.manual_seed(0)
        task = DepthTask(build_model(config), config, total_steps=1, fused=False).eval()
        with torch.inference_mode():
            for number, batch in enumerate(DepthData(config, seed=1, on_gpu=False).val_dataloader()):
                task.validation_step(batch, number)
            task.on_validation_epoch_end()
        results.append({**task.kpi, "spread": task.spread})

    assert results[0]["val/num_images"] == 7
    assert results[1] == pytest.approx(results[0], abs=1e-5)
    assert results[2] == pytest.approx(results[0], abs=1e-5)


def test_a_batch_that_was_given_before_does_not_count(tmp_path: Path) -> None:
    config = load_spec(write_spec(tmp_path))
    task = DepthTask(build_model(config), config, total_steps=1, fused=False).eval()
    data = DepthData(config, seed=1, on_gpu=False).val_set

    with torch.inference_mode():
        for epoch in (0, REPEATED, REPEATED):
            task.validation_step(collate([data[epoch, 0], data[epoch, 1]], stack_targets=False), 0)
        task.on_validation_epoch_end()

    assert task.kpi["val/num_images"] == 2


def test_augmentation_acts_on_training_samples_only(tmp_path: Path) -> None:
    config = load_spec(write_spec(tmp_path), ["dataset.train_dataset.augmentation.enabled=true"])

    assert dataset_of(config, "train", seed=1).settings.augmentation == config.dataset.train_dataset.augmentation
    assert not dataset_of(config, "val", seed=1).settings.augmentation.enabled


def test_a_reader_of_the_other_family_is_refused(tmp_path: Path) -> None:
    config = load_spec(write_spec(tmp_path), ["model.model_type=RelativeDepthAnything"])

    with pytest.raises(SpecError, match="NYUDV2Relative"):
        dataset_of(config, "test", seed=1)


def test_loading_processes_do_not_change_the_weights_that_are_drawn_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []
    monkeypatch.setattr(datasets, "can_fork", lambda: True)
    monkeypatch.setattr(datasets, "start_processes", lambda loader: started.append((loader, torch.rand(1))))
    data = DepthData(load_spec(write_spec(tmp_path)), seed=1, on_gpu=False)
    before = torch.get_rng_state()

    data.start_loading(Share(rank=1, world_size=2), None)

    assert len(started) == 2
    assert len(list(data.train_dataloader().sampler)) == 2 * 2  # epochs of whole batches of a half of six images
    assert torch.equal(torch.get_rng_state(), before)
