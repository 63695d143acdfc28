from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from depth_net.actions.tiles import refine, starts
from depth_net.model.family import ModelType
from tests.depth_net.model.tiny import make_model


@pytest.mark.parametrize(("length", "tile"), [(43, 42), (100, 42), (84, 42), (2160, 518), (3840, 518)])
def test_tiles_cover_the_length_and_overlap(length: int, tile: int) -> None:
    found = starts(length, tile)

    assert (found[0], found[-1]) == (0, length - tile)
    assert all(0 < after - before <= 0.75 * tile + 1 for before, after in pairwise(found))


@pytest.mark.parametrize("model_type", ModelType)
def test_tiles_that_see_only_another_scale_change_nothing(
    monkeypatch: pytest.MonkeyPatch, model_type: ModelType
) -> None:
    model = make_model(model_type)
    whole = torch.rand(100, 130) * 4 + 1
    image = whole.expand(3, -1, -1)
    monkeypatch.setattr(model, "forward", lambda tiles: 0.5 * tiles[:, 0] + 3)

    refined = refine(model, image, whole, (42, 56), 4)

    torch.testing.assert_close(refined, whole, atol=1e-5, rtol=1e-5)


def test_details_come_from_tiles_and_distances_from_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    trend = torch.linspace(2, 8, 140).expand(140, 140)
    detail = 0.2 * torch.sin(torch.arange(140) * 1.7).expand(140, 140)
    image = (trend + detail).expand(3, -1, -1)
    monkeypatch.setattr(model, "forward", lambda tiles: tiles[:, 0] * 2)

    refined = refine(model, image, trend.clone(), (42, 42), 3)

    error = (refined - trend - detail).abs().mean()
    assert error < 0.5 * detail.abs().mean()
    assert (refined - trend).abs().mean() < 0.25


def test_an_image_no_larger_than_a_tile_is_left_as_it_is() -> None:
    whole = torch.rand(42, 100)

    assert refine(make_model(), torch.rand(3, 42, 100), whole, (42, 42), 1) is whole


def test_how_many_tiles_are_predicted_at_once_changes_nothing() -> None:
    model, image = make_model(), torch.randn(3, 90, 120)
    whole = torch.rand(90, 120) * 5

    alone, together = (refine(model, image, whole, (42, 42), size) for size in (1, 7))

    torch.testing.assert_close(alone, together, atol=1e-4, rtol=1e-4)
