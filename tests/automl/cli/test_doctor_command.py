"""`automl doctor`: one table, each row with its fix; six broken set-ups, each found."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from automl.cli.app import run_command_line
from tests.acceptance.scripted_skill import build_scripted_skill
from tests.automl.skill.packages import skill_with_download

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.preflight.trainer_check._LIMIT_S", 100.0)  # other tests run beside these


def doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    status = run_command_line(["doctor", *arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def failed(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {row["check"]: row for row in document["rows"] if row["level"] == "fail"}


@pytest.fixture(scope="session")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten tiny depth images in millimetres, named as those of NYU Depth V2, with their annotation files."""
    cv2 = pytest.importorskip("cv2")
    numpy = pytest.importorskip("numpy")
    folder = tmp_path_factory.mktemp("rooms")
    random = numpy.random.default_rng(1)
    names = []
    for number in range(10):
        cv2.imwrite(str(folder / f"rgb_{number}.jpg"), random.integers(0, 255, (72, 96, 3), dtype=numpy.uint8))
        cv2.imwrite(
            str(folder / f"sync_depth_{number}.png"), random.integers(1000, 5000, (72, 96)).astype(numpy.uint16)
        )
        names.append(f"{folder}/rgb_{number}.jpg {folder}/sync_depth_{number}.png")
    (folder / "train.txt").write_text("\n".join(names[:8]) + "\n", encoding="utf-8")
    (folder / "val.txt").write_text("\n".join(names[8:]) + "\n", encoding="utf-8")
    return folder


def depth(rooms: Path, results: Path, *more: str) -> tuple[str, ...]:
    data = ("--data", f"train={rooms}/train.txt", "--data", f"val={rooms}/val.txt")
    sizes = [
        f"dataset.{split}_dataset.{key}"
        for split in ("train", "val")
        for key in ("augmentation.crop_size=[70,70]", "batch_size=2", "workers=0")
    ]
    settings = [word for size in sizes for word in ("--set", size)]
    return ("--skill", "depth_net_mono", *data, *settings, "--results", str(results), *more)


def test_a_sound_set_up_ends_with_0_and_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = run_command_line(["doctor", "toy/quick", "--results", str(tmp_path)])

    shown = capsys.readouterr().out
    assert status == 0
    assert "the run can start" in shown
    assert "shared memory" in shown
    assert list(tmp_path.iterdir()) == []


def test_the_demo_is_sound_on_a_machine_where_its_data_are_not_made_yet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, document = doctor(capsys, "depth_net_mono/demo", "--results", str(tmp_path))

    assert (status, failed(document)) == (0, {})
    assert list(tmp_path.iterdir()) == []


def test_weights_that_must_be_downloaded_first_are_a_warning_with_their_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, metric = skill_with_download(tmp_path), ("--metric", "val/loss", "--direction", "minimize")

    _, document = doctor(
        capsys, "--skill", str(root), "--policy", "off", *metric, "--results", str(tmp_path / "results")
    )

    (row,) = [row for row in document["rows"] if row["check"] == "weights model.weights"]
    assert (row["level"], row["found"]) == ("warn", f"no file at {tmp_path}/weights.pth, training starts without it")
    assert f"https://example.org/weights.pth to {tmp_path}/weights.pth" in row["fix"]


def test_broken_1_results_where_nothing_can_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()

    status, document = doctor(capsys, "toy/quick", "--results", str(tmp_path / "file" / "results"))

    assert (status, document["ok"]) == (2, False)
    assert "AUTOML_RESULTS" in failed(document)["--results"]["fix"]


def test_broken_2_more_gpus_than_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, document = doctor(capsys, "toy/quick", "--gpus-per-trial", "64", "--results", str(tmp_path))

    assert status == 2
    assert "--ray-address" in failed(document)["--gpus-per-trial"]["fix"]
    assert "disk" in {row["check"] for row in document["rows"]}


def test_broken_3_annotation_lines_without_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rooms: Path
) -> None:
    broken = tmp_path / "rooms"
    shutil.copytree(rooms, broken)
    lines = (broken / "train.txt").read_text(encoding="utf-8").splitlines()
    lines[2] = f"{broken}/gone.jpg {broken}/gone.png"
    (broken / "train.txt").write_text("\n".join(lines), encoding="utf-8")

    status, document = doctor(capsys, *depth(broken, tmp_path / "results"))

    row = failed(document)["annotations train.txt"]
    assert status == 2
    assert f"line 3: no file {broken}/gone.jpg" in row["found"]
    assert str(broken / "train.txt") in row["fix"]


def test_broken_4_depth_in_millimetres_read_as_metres(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rooms: Path
) -> None:
    name = "dataset.train_dataset.data_sources[0].dataset_name=MetricMonoDataset"

    status, document = doctor(capsys, *depth(rooms, tmp_path, "--set", name))

    row = failed(document)["depth data: dataset.train_dataset.data_sources[0]"]
    assert status == 2
    assert "millimetres" in row["found"]
    assert "NYUDV2" in row["fix"]


def test_broken_4_depth_in_a_unit_that_nobody_stated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rooms: Path
) -> None:
    unknown = tmp_path / "unknown"
    shutil.copytree(rooms, unknown)
    for file in unknown.glob("sync_depth_*.png"):
        file.rename(file.with_name(file.name.removeprefix("sync_")))
    for file in unknown.glob("*.txt"):
        text = file.read_text(encoding="utf-8").replace(str(rooms), str(unknown)).replace("sync_", "")
        file.write_text(text, encoding="utf-8")

    status, document = doctor(capsys, *depth(unknown, tmp_path / "results"))

    row = failed(document)["depth data: dataset.train_dataset.data_sources[0]"]
    assert status == 2
    assert "millimetres (value / 1000) 2.99 m" in row["found"]
    assert "kitti (value / 256) 11" in row["found"]
    assert row["fix"].startswith("set depth_scale")


def test_a_run_on_depth_in_the_wrong_unit_ends_before_a_folder_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rooms: Path
) -> None:
    name = "dataset.train_dataset.data_sources[0].dataset_name=MetricMonoDataset"

    status = run_command_line(["run", *depth(rooms, tmp_path / "results", "--set", name), "--yes"])

    assert status == 2
    assert "millimetres" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_broken_5_a_git_pointer_in_place_of_the_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rooms: Path
) -> None:
    pointer = tmp_path / "vits.pth"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 99\n", encoding="utf-8")

    status, document = doctor(
        capsys, *depth(rooms, tmp_path / "results", "--set", f"train.pretrained_model_path={pointer}")
    )

    assert status == 2
    assert failed(document)["checkpoint train.pretrained_model_path"]["fix"] == "git lfs pull"


def test_broken_6_a_trainer_that_is_not_installed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    skill = build_scripted_skill(tmp_path / "skill")
    file = skill / "references/skill_info.yaml"
    info = yaml.safe_load(file.read_text(encoding="utf-8"))
    info["actions"]["train"]["command"] = "no-such-trainer train -e {config_path}"
    file.write_text(yaml.safe_dump(info), encoding="utf-8")

    status, document = doctor(capsys, "--skill", str(skill), "--results", str(tmp_path / "results"))

    assert status == 2
    assert "no no-such-trainer" in failed(document)["program"]["found"]
    assert "install" in failed(document)["program"]["fix"]


def test_a_study_that_does_not_exist_is_a_row_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, document = doctor(capsys, "toy/quik", "--results", str(tmp_path))

    assert status == 2
    assert "did you mean toy/quick?" in failed(document)["STUDY"]["fix"]


def test_sound_depth_data_are_looked_at_by_the_trainer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rooms: Path
) -> None:
    status, document = doctor(capsys, *depth(rooms, tmp_path))

    rows = {row["check"]: row for row in document["rows"]}
    assert (status, document["ok"]) == (0, True), failed(document)
    for split in ("train", "val"):
        found = rows[f"depth data: dataset.{split}_dataset.data_sources[0]"]["found"]
        assert "NYUDV2 (by its file names)" in found
        assert "unit value / 1000 m depth crop nyu" in found
    assert "starts from random weights" in rows["depth data: train"]["found"]
    assert document["seconds"] > 0


def test_test_data_that_hold_the_training_images_are_a_warning_with_their_number(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, document = doctor(capsys, *depth(rooms, tmp_path, "--data", f"test={rooms}/train.txt"))

    (row,) = [row for row in document["rows"] if row["check"] == "depth data: dataset.test_dataset"]
    assert row["level"] == "warn"
    assert row["found"].startswith("8 images of the training split are tested on too, of 8 in the test split")


def test_a_spec_that_the_trainer_refuses_fails_before_the_data_are_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["doctor", "depth_net_mono/demo", "--results", str(tmp_path), "--json"]

    assert run_command_line([*arguments, "--set", "model.encoder=vitx", "--set", "+train.num_epochs=0"]) == 2
    failed = [row for row in json.loads(capsys.readouterr().out)["rows"] if row["level"] == "fail"]
    assert {row["check"] for row in failed} == {"depth data: train.num_epochs", "--set model.encoder"}
