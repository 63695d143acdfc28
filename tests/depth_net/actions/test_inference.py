from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from depth_net.actions import inference
from depth_net.actions.inference import place_of, raw_place
from depth_net.data.readers import read_pfm
from depth_net.model.family import ModelType
from tests.depth_net.actions.trained import load_trained, open_status
from tests.depth_net.data.builders import write_mixed, write_picture


@pytest.mark.parametrize("model_type", ModelType)
def test_a_panel_and_raw_predictions_are_written_per_image(tmp_path: Path, model_type: ModelType) -> None:
    config = load_trained(
        tmp_path, "inference", "inference.save_raw_pfm=true", "inference.save_raw_npy=true", model_type=model_type
    )

    inference.run(config, open_status(tmp_path))

    results = tmp_path / "results" / "inference"
    place = place_of(tmp_path / "val" / "rgb_1.png")
    panel = cv2.imread(str(results / "inference_images" / place))
    assert panel is not None
    assert panel.shape == (24, 96, 3)
    depth = read_pfm((results / "inference_pfm" / place).with_suffix(".pfm"))
    assert depth.shape == (48, 64)
    np.testing.assert_array_equal(depth, np.load((results / "inference_npy" / place).with_suffix(".npy")))
    assert len(list(results.rglob("*.pfm"))) == 3
    document = json.loads((results / "results.json").read_text(encoding="utf-8"))
    assert (document["num_images"], document["model_type"]) == (3, model_type)
    assert all(
        Path(image[kind]).is_file() for image in document["images"] for kind in ("image", "picture", "pfm", "npy")
    )


def test_results_do_not_depend_on_the_batch_size_when_images_differ_in_size(tmp_path: Path) -> None:
    listed, depths = [], []
    for size in (1, 4):
        changed = (f"dataset.infer_dataset.batch_size={size}", f"inference.results_dir={tmp_path / str(size)}")
        config = load_trained(tmp_path, "inference", "inference.save_raw_npy=true", *changed)
        write_mixed(tmp_path / "val", 7)
        inference.run(config, open_status(tmp_path))
        images = json.loads((tmp_path / str(size) / "results.json").read_text(encoding="utf-8"))["images"]
        listed.append([Path(image["image"]).name for image in images])
        depths.append([np.load(image["npy"]) for image in images])

    assert listed == [[f"rgb_{index}.png" for index in range(7)]] * 2
    for alone, together in zip(*depths, strict=True):
        np.testing.assert_allclose(together, alone, rtol=1e-4)


def test_images_without_ground_truth_and_with_odd_names_are_predicted(tmp_path: Path) -> None:
    config = load_trained(tmp_path, "inference", "inference.save_raw_pfm=true")
    folder = tmp_path / "my jpg folder.png"
    write_picture(folder / "a png of 1,5 m (ü).png", 30, 40)
    listed = tmp_path / "val" / "list.txt"
    listed.write_text(f'"{folder}/a png of 1,5 m (ü).png"\n', encoding="utf-8")

    inference.run(config, open_status(tmp_path))

    place = place_of(folder / "a png of 1,5 m (ü).png")
    results = tmp_path / "results" / "inference"
    panel = cv2.imdecode(np.frombuffer((results / "inference_images" / place).read_bytes(), np.uint8), 1)
    assert panel is not None
    assert panel.shape == (15, 40, 3)
    assert (results / "inference_pfm" / place).with_suffix(".pfm").is_file()
    assert not list(results.rglob("*.npy"))


def test_images_that_differ_only_in_their_extension_keep_their_own_predictions() -> None:
    taken: dict[Path, Path] = {}

    places = [raw_place(Path("a") / name, ".pfm", taken) for name in ("x.png", "x.jpg", "x.png", "y.jpg")]

    assert [place.name for place in places] == ["x.pfm", "x.jpg.pfm", "x.pfm", "y.pfm"]


@pytest.mark.parametrize(
    ("source", "place"),
    [("/data/a/b.png", "data/a/b.png"), ("../a/./b.png", "a/b.png"), ("b.png", "b.png")],
)
def test_results_stay_below_their_folder(source: str, place: str) -> None:
    assert place_of(Path(source)) == Path(place)
