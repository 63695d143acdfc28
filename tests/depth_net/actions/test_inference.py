from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

from depth_net.actions import inference
from depth_net.actions.inference import place_of, raw_place
from depth_net.cli import main
from depth_net.colours import Scale, bar, title
from depth_net.data.readers import read_pfm
from depth_net.data.video import Video
from depth_net.errors import DataError
from depth_net.model.family import ModelType
from depth_net.model.weights import METADATA_KEY, metadata_of
from tests.depth_net.actions.trained import load_trained, open_status
from tests.depth_net.data.builders import write_mixed, write_picture
from tests.depth_net.model.tiny import make_model


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
    scale = bar(Scale(low=1.0, high=4.0, in_metres=model_type is ModelType.METRIC), 24)
    assert panel.shape == (24 + title("image", 32, 24).shape[0], 96 + scale.shape[1], 3)
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
    assert panel.shape[0] == 15 + title("image", 20, 15).shape[0]
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


def test_every_kind_of_file_is_written_and_listed(tmp_path: Path) -> None:
    outputs = "inference.outputs=[pictures,colour,depth_png,npy,pfm,ply]"
    config = load_trained(
        tmp_path, "inference", outputs, "inference.field_of_view=60", "inference.colour_range=[0.5,5]"
    )

    inference.run(config, open_status(tmp_path))

    document = json.loads((tmp_path / "results/inference/results.json").read_text(encoding="utf-8"))
    assert document["num_pixels_clipped"] == 0
    for image in document["images"]:
        assert list(image) == ["image", "picture", "colour", "npy", "pfm", "depth_png", "ply"]
        assert all(Path(path).is_file() for path in image.values())
        depth = np.load(image["npy"])
        stored = cv2.imread(image["depth_png"], cv2.IMREAD_UNCHANGED)
        assert stored is not None
        np.testing.assert_array_equal(stored, np.rint(depth.astype(np.float64) * 1000))


def test_depth_that_does_not_fit_ends_the_run_or_is_counted(tmp_path: Path) -> None:
    words = ("inference.outputs=[depth_png]", "inference.depth_scale=0.00001")
    with pytest.raises(DataError, match="the most that 16 bits hold"):
        inference.run(load_trained(tmp_path, "inference", *words), open_status(tmp_path))

    inference.run(load_trained(tmp_path, "inference", *words, "inference.on_overflow=clip"), open_status(tmp_path))

    document = json.loads((tmp_path / "results/inference/results.json").read_text(encoding="utf-8"))
    assert document["num_pixels_clipped"] == 3 * 48 * 64


@pytest.mark.parametrize("resolution", ["native", "tiles"])
def test_an_image_is_predicted_at_its_own_size(tmp_path: Path, resolution: str) -> None:
    words = ("inference.save_raw_npy=true", "dataset.infer_dataset.augmentation.crop_size=[28,28]")
    depths = []
    for name in ("fit", resolution):
        changed = (f"inference.resolution={name}", f"inference.results_dir={tmp_path / name}")
        inference.run(load_trained(tmp_path, "inference", *words, *changed), open_status(tmp_path))
        images = json.loads((tmp_path / name / "results.json").read_text(encoding="utf-8"))["images"]
        depths.append(np.load(images[0]["npy"]))

    assert depths[0].shape == depths[1].shape == (48, 64)
    assert np.abs(depths[0] - depths[1]).max() > 0


def write_video(path: Path, frames: int) -> list[np.ndarray]:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for index in range(frames):
        writer.write(np.full((48, 64, 3), 20 * index, dtype=np.uint8))
    writer.release()
    return list(Video(path).frames())


def test_a_video_becomes_videos_of_its_pictures_and_files_of_its_frames(tmp_path: Path) -> None:
    frames = write_video(tmp_path / "walk.mp4", 5)
    source = json.dumps([{"data_file": str(tmp_path / "walk.mp4")}, {"data_file": str(tmp_path / "still.png")}])
    write_picture(tmp_path / "still.png")
    cv2.imwrite(str(tmp_path / "frame.png"), frames[3][..., ::-1])
    words = ("inference.outputs=[pictures,colour,npy]", f"dataset.infer_dataset.data_sources={source}")

    inference.run(load_trained(tmp_path, "inference", *words), open_status(tmp_path))

    folder = tmp_path / "results" / "inference"
    still, video = json.loads((folder / "results.json").read_text(encoding="utf-8"))["images"]
    assert Path(still["image"]).name == "still.png"
    assert video["num_frames"] == 5
    assert [len(list(Video(Path(video[kind])).frames())) for kind in ("picture", "colour")] == [5, 5]
    depths = sorted((folder / "inference_npy" / place_of(tmp_path / "walk")).glob("*.npy"))
    assert [path.name for path in depths] == [f"frame_{index:06d}.npy" for index in range(5)]
    frame = json.dumps([{"data_file": str(tmp_path / "frame.png")}])
    alone = load_trained(tmp_path, "inference", words[0], f"dataset.infer_dataset.data_sources={frame}")
    inference.run(alone, open_status(tmp_path))
    image = json.loads((folder / "results.json").read_text(encoding="utf-8"))["images"][0]
    np.testing.assert_allclose(np.load(depths[3]), np.load(image["npy"]), rtol=1e-4)


def test_a_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    source = json.dumps([{"data_file": str(tmp_path / "a.mp4")}])

    with pytest.raises(DataError, match="no frame of a video that OpenCV"):
        inference.run(
            load_trained(tmp_path, "inference", f"dataset.infer_dataset.data_sources={source}"), open_status(tmp_path)
        )


def test_the_command_line_names_input_and_checkpoint(tmp_path: Path) -> None:
    load_trained(tmp_path, "inference")
    write_picture(tmp_path / "my photos" / "a.png")
    words = ["--input", str(tmp_path / "my photos"), "--checkpoint", str(tmp_path / "checkpoint.pth")]

    assert main(["inference", "-e", str(tmp_path / "spec.yaml"), *words]) == 0

    document = json.loads((tmp_path / "results/inference/results.json").read_text(encoding="utf-8"))
    assert [Path(image["image"]).name for image in document["images"]] == ["a.png"]


def test_a_checkpoint_that_says_what_it_is_needs_no_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    notes = {**metadata_of(model, min_depth_m=0.1), "crop_size": [42, 42]}
    torch.save({"state_dict": model.state_dict(), METADATA_KEY: notes}, tmp_path / "m.pth")
    write_picture(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)

    assert main(["inference", "--checkpoint", "m.pth", "--input", "a.png", "inference.outputs=[npy]"]) == 0

    (image,) = json.loads(Path("results/inference/results.json").read_text(encoding="utf-8"))["images"]
    assert 0 < np.load(image["npy"]).max() <= 10
    spec = yaml.safe_load(Path("results/inference/experiment.yaml").read_text(encoding="utf-8"))
    assert spec["dataset"]["infer_dataset"]["augmentation"]["crop_size"] == [42, 42]


def test_a_checkpoint_that_does_not_say_its_family_needs_a_spec(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = {name.replace("metric_depth_head", "depth_head"): t for name, t in make_model().state_dict().items()}
    torch.save(state, tmp_path / "m.pth")

    assert main(["inference", "--checkpoint", str(tmp_path / "m.pth"), "--input", "a.png"]) == 1
    assert "a vit_tiny model that does not say its family" in caplog.text
    assert main(["inference"]) == 1
    assert "name it with -e SPEC, or --checkpoint and --input" in caplog.text
