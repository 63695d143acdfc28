from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from depth_net.actions.prediction import choose_device, load_split, predict_images, show_progress
from depth_net.model.restored import restore_model
from tests.depth_net.actions.trained import load_trained
from tests.depth_net.data.builders import write_mixed

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_predictions_have_native_size_and_the_order_of_the_list(tmp_path: Path) -> None:
    config = load_trained(tmp_path, "evaluate")
    model = restore_model(config, str(config.evaluate.checkpoint))
    loader = load_split(config, "test", model.max_depth_m)

    images = list(predict_images(model, loader, torch.device("cpu")))

    assert [image.path.name for image in images] == ["rgb_0.png", "rgb_1.png", "rgb_2.png"]
    for image in images:
        assert image.prediction.shape == image.valid.shape == (48, 64)
        assert image.target is not None


def test_the_batch_size_does_not_change_predictions_of_images_of_several_sizes(tmp_path: Path) -> None:
    names, predictions = [], []
    for size in (1, 2, 3, 7):
        config = load_trained(tmp_path, "evaluate", f"dataset.test_dataset.batch_size={size}")
        write_mixed(tmp_path / "val", 7)
        model = restore_model(config, str(config.evaluate.checkpoint))
        loader = load_split(config, "test", model.max_depth_m)
        images = list(predict_images(model, loader, torch.device("cpu")))
        names.append([image.path.name for image in images])
        predictions.append([image.prediction for image in images])

    assert names == [[f"rgb_{index}.png" for index in range(7)]] * 4
    for alone, *together in zip(*predictions, strict=True):
        for other in together:
            torch.testing.assert_close(alone, other, atol=0, rtol=1e-4)


def test_progress_is_logged_where_no_terminal_shows_a_bar(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = load_trained(tmp_path, "evaluate")
    model = restore_model(config, str(config.evaluate.checkpoint))
    loader = load_split(config, "test", model.max_depth_m)
    caplog.set_level("INFO")

    images = list(show_progress(predict_images(model, loader, torch.device("cpu")), 3, "evaluate"))

    assert len(images) == 3
    assert "evaluate: 3 of 3 images" in caplog.text


def test_without_a_gpu_the_processor_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert choose_device((3,)) == torch.device("cpu")
