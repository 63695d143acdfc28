from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from transformers.models.depth_anything.modeling_depth_anything import DepthAnythingForDepthEstimation

from depth_net.errors import SpecError
from depth_net.model.depth_anything import DepthAnything
from depth_net.model.family import ModelType
from depth_net.model.published_files import write_published_file, write_transformers_folder
from depth_net.model.weights import Layout, apply_weights, load_weights
from tests.depth_net.model.tiny import make_model

if TYPE_CHECKING:
    from pathlib import Path

GRID = 70
"""Side of an image whose patches are the learned grid of the tiny encoder."""
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.2, 0.3)


def write_folder(model: DepthAnything, folder: Path) -> None:
    write_transformers_folder(model, folder, size=(GRID, GRID), mean=MEAN, std=STD)


@pytest.mark.parametrize("family", ModelType)
def test_transformers_loads_the_folder_and_predicts_the_same(tmp_path: Path, family: ModelType) -> None:
    model = make_model(family)
    write_folder(model, tmp_path / "new" / "folder")
    images = torch.randn(2, 3, GRID, GRID)

    loader: Any = DepthAnythingForDepthEstimation  # its annotations lack this form of the answer
    theirs, loading = loader.from_pretrained(tmp_path / "new" / "folder", output_loading_info=True)
    with torch.inference_mode():
        found, expected = theirs.eval()(images).predicted_depth, model(images)

    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_a_folder_that_is_written_again_keeps_what_a_person_put_there_and_is_no_link(tmp_path: Path) -> None:
    model, folder = make_model(ModelType.METRIC), tmp_path / "folder"
    write_folder(model, folder)
    (folder / "notes.txt").write_text("placed by a person", encoding="utf-8")
    (tmp_path / "link").symlink_to(folder)

    write_folder(model, folder)
    with pytest.raises(SpecError, match="found a link"):
        write_folder(model, tmp_path / "link")

    written = {"config.json", "model.safetensors", "preprocessor_config.json"}
    assert {path.name for path in folder.iterdir()} == {*written, "notes.txt"}


@pytest.mark.parametrize("family", ModelType)
@pytest.mark.parametrize("layout", [Layout.TRANSFORMERS, Layout.DEPTH_ANYTHING])
def test_weights_go_there_and_back_bit_for_bit(tmp_path: Path, family: ModelType, layout: Layout) -> None:
    model, other = make_model(family), make_model(family, seed=1)
    place = tmp_path / "exported"
    if layout is Layout.TRANSFORMERS:
        write_folder(model, place)
    else:
        write_published_file(model, place.with_suffix(".pth"))
        place = place.with_suffix(".pth")

    weights = load_weights(place)
    apply_weights(other, weights)

    assert weights.layout is layout
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in model.state_dict().items())


def test_a_published_file_calls_the_head_of_both_families_alike(tmp_path: Path) -> None:
    write_published_file(make_model(ModelType.METRIC), tmp_path / "metric.pth")

    names = torch.load(tmp_path / "metric.pth", weights_only=True)

    assert {name.split(".")[0] for name in names} == {"pretrained", "depth_head"}


def test_the_folder_says_how_images_are_prepared(tmp_path: Path) -> None:
    write_folder(make_model(), tmp_path / "folder")

    document = json.loads((tmp_path / "folder" / "preprocessor_config.json").read_text(encoding="utf-8"))
    assert (tuple(document["image_mean"]), tuple(document["image_std"])) == (MEAN, STD)
    assert (document["ensure_multiple_of"], document["size"]) == (14, {"height": GRID, "width": GRID})


def test_a_range_that_transformers_cannot_name_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    model = DepthAnything(encoder="vit_tiny", model_type=ModelType.METRIC, max_depth_m=10.5)

    with pytest.raises(SpecError, match=r"found 10\.5 m; expected whole metres"):
        write_folder(model, tmp_path / "folder")
    assert not list(tmp_path.iterdir())
