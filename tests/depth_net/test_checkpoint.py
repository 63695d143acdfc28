from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from depth_net.checkpoint import checkpoint_name, find_resume_checkpoint, link
from depth_net.config.choices import ResumeMode
from depth_net.config.train import TrainConfig
from depth_net.errors import SpecError
from depth_net.execution import Request, execute
from tests.depth_net.specs import read_status, write_spec


def test_names_are_those_of_the_reference() -> None:
    assert checkpoint_name(0, 3) == "model_epoch_000_step_00003.pth"
    assert checkpoint_name(12, 123456) == "model_epoch_012_step_123456.pth"


def test_a_new_folder_has_nothing_to_resume(tmp_path: Path) -> None:
    assert find_resume_checkpoint(tmp_path, TrainConfig()) is None


def test_the_latest_checkpoint_is_resumed_unless_forbidden(tmp_path: Path) -> None:
    (tmp_path / "model_epoch_000_step_00003.pth").touch()
    link(tmp_path / "dn_model_latest.pth", "model_epoch_000_step_00003.pth")

    found = find_resume_checkpoint(tmp_path, TrainConfig())

    assert found == (tmp_path / "model_epoch_000_step_00003.pth").resolve()
    assert find_resume_checkpoint(tmp_path, TrainConfig(resume=ResumeMode.NEVER)) is None


def test_a_link_that_leads_nowhere_is_not_resumed(tmp_path: Path) -> None:
    link(tmp_path / "dn_model_latest.pth", "gone.pth")

    assert find_resume_checkpoint(tmp_path, TrainConfig()) is None


def test_a_named_checkpoint_wins_even_where_resuming_is_forbidden(tmp_path: Path) -> None:
    named = tmp_path / "mine.tlt"
    named.touch()
    train = TrainConfig(resume=ResumeMode.NEVER, resume_training_checkpoint_path=str(named))

    assert find_resume_checkpoint(tmp_path, train) == named


@pytest.mark.parametrize("name", ["none.pth", "mine.ckpt"])
def test_a_named_checkpoint_that_cannot_be_one_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "mine.ckpt").touch()

    with pytest.raises(SpecError, match="resume_training_checkpoint_path"):
        find_resume_checkpoint(tmp_path, TrainConfig(resume_training_checkpoint_path=str(tmp_path / name)))


def test_a_link_is_relative_and_replaced_at_once(tmp_path: Path) -> None:
    link(tmp_path / "latest", "a")
    link(tmp_path / "latest", "b")

    assert (tmp_path / "latest").readlink() == Path("b")
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The spec of a run of one epoch that has ended."""
    spec = write_spec(tmp_path_factory.mktemp("finished"))
    assert execute(Request(action="train", spec=spec, overrides=("train.num_epochs=1",))) == 0
    return spec


def ruin(checkpoint: Path, how: str) -> None:
    """Make a finished run's checkpoint one that cannot be resumed."""
    content = torch.load(checkpoint, weights_only=True)
    match how:
        case "cut off":
            checkpoint.write_bytes(checkpoint.read_bytes()[:50_000])
        case "empty":
            checkpoint.write_bytes(b"")
        case "weights alone":
            torch.save(
                {name.removeprefix("model."): value for name, value in content["state_dict"].items()}, checkpoint
            )
        case "of the container":  # its optimiser has one joint matrix where ours has three
            for group in content["optimizer_states"][0]["param_groups"]:
                group["params"] = group["params"][:10]
            torch.save(content, checkpoint)
        case _:
            content["depth_net"]["max_depth"] = 20.0
            torch.save(content, checkpoint)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("cut off", "that PyTorch cannot read"),
        ("empty", "that PyTorch cannot read (EOFError)"),
        ("weights alone", "found weights without a training run (pytorch-lightning_version, "),
        ("of the container", "found an optimiser over groups of [10, 10] parameters"),
        ("other model", "dataset.max_depth: found 10.0; expected 20.0"),
    ],
)
def test_a_checkpoint_that_cannot_be_resumed_is_reported_before_the_first_step(
    finished: Path, tmp_path: Path, how: str, message: str
) -> None:
    folder = tmp_path / "train"
    shutil.copytree(finished.parent / "results" / "train", folder, symlinks=True)
    (folder / "status.json").unlink()
    overrides = (f"results_dir={tmp_path}", "train.num_epochs=3")
    request = Request(action="train", spec=finished, overrides=overrides)
    ruin(folder / "dn_model_latest.pth", how)

    assert execute(request) == 1

    lines = read_status(folder)
    assert (lines[-1]["status"], lines[-1]["code"]) == ("FAILURE", "weights")
    assert message in lines[-1]["message"]
    assert "and set train.resume=never" in lines[-1]["message"]
    assert not any(line["message"] == "Starting Training Loop." for line in lines)


def test_a_checkpoint_that_cannot_be_written_leaves_no_part_of_it(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    in_the_way = tmp_path / "results" / "train" / "model_epoch_000_step_00003.pth"
    in_the_way.mkdir(parents=True)

    assert execute(Request(action="train", spec=spec)) == 1

    assert read_status(in_the_way.parent)[-1]["status"] == "FAILURE"
    assert not list(in_the_way.parent.glob(".*"))


def test_only_checkpoints_that_the_run_wrote_are_deleted_and_links_are_not_followed(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    folder, elsewhere = tmp_path / "results" / "train", tmp_path / "elsewhere"
    folder.mkdir(parents=True)
    elsewhere.write_text("placed by a person", encoding="utf-8")
    placed = folder / "model_epoch_000_step_00001.pth"
    placed.write_text("placed by a person", encoding="utf-8")
    (folder / "model_epoch_000_step_00002.pth").symlink_to(elsewhere)
    for name in (".model_epoch_000_step_00003.pth.part", ".dn_model_latest.pth.part"):
        (folder / name).symlink_to(elsewhere)
    first = ("train.num_epochs=3", "train.keep_checkpoints=1", "train.optim.lr=1e-3")

    assert execute(Request(action="train", spec=spec, overrides=first)) == 0
    assert execute(Request(action="train", spec=spec, overrides=("train.num_epochs=5", *first[1:]))) == 0

    best = (folder / "dn_model_best.pth").resolve().name
    written = {path.name for path in folder.glob("model_*") if path.resolve() not in {placed, elsewhere}}
    assert written == {"model_epoch_004_step_00015.pth", best}  # those of the first run are deleted by the second
    assert placed.read_text(encoding="utf-8") == elsewhere.read_text(encoding="utf-8") == "placed by a person"
    assert (folder / "model_epoch_000_step_00002.pth").is_symlink()
