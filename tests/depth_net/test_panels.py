from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import pytest
import torch

from depth_net.colours import title
from depth_net.model.family import ModelType
from depth_net.panels import PanelRow, choose_rows, write_panel

if TYPE_CHECKING:
    from pathlib import Path


def row(height: int = 30, width: int = 40) -> PanelRow:
    ramp = torch.linspace(1, 5, width).expand(height, width)
    valid = torch.ones(height, width, dtype=torch.bool)
    valid[:, :10] = False
    return PanelRow(image=torch.full((3, 14, 28), 0.5), target=ramp, valid=valid, predicted=ramp.clone())


@pytest.mark.parametrize("model_type", list(ModelType))
def test_a_perfect_prediction_looks_like_its_ground_truth(tmp_path: Path, model_type: ModelType) -> None:
    write_panel(tmp_path / "deep" / "panel.png", [row()], model_type)

    picture = cv2.imread(str(tmp_path / "deep" / "panel.png"))
    assert picture is not None
    column, picture = 240, picture[-180:]  # below the titles
    truth = picture[:, column + 4 : 2 * column + 4]
    predicted = picture[:, 2 * column + 8 : 3 * column + 8]
    assert truth[:, : column // 5].max() == 0
    assert abs(truth[:, column // 2 :].astype(int) - predicted[:, column // 2 :]).max() <= 2
    assert abs(int(picture[90, 20].mean()) - 128) <= 1


def test_images_of_different_shapes_share_a_panel(tmp_path: Path) -> None:
    write_panel(tmp_path / "panel.png", [row(), row(40, 30)], ModelType.METRIC)

    picture = cv2.imread(str(tmp_path / "panel.png"))
    assert picture is not None
    assert picture.shape[0] == 2 * (180 + title("image", 240, 180).shape[0]) + 4


def test_an_image_without_ground_truth_is_drawn_all_the_same(tmp_path: Path) -> None:
    bare = row()
    bare.valid.fill_(value=False)

    write_panel(tmp_path / "panel.png", [bare], ModelType.METRIC)

    assert (tmp_path / "panel.png").stat().st_size > 0


@pytest.mark.parametrize(("length", "chosen"), [(0, ()), (3, (0, 1, 2)), (24, (0, 8, 15, 23))])
def test_rows_are_spread_over_the_whole_split(length: int, chosen: tuple[int, ...]) -> None:
    assert choose_rows(length) == chosen
