from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.launch.mounts import readable_paths

if TYPE_CHECKING:
    from pathlib import Path

    from automl.skill.model import JsonValue


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    folder = tmp_path / "results/trials/0000"
    folder.mkdir(parents=True)
    return folder


def make(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_every_existing_path_of_the_spec_is_found_wherever_it_stands(tmp_path: Path, trial: Path) -> None:
    weights = make(tmp_path / "weights/encoder.pth")
    images = make(tmp_path / "images/0.png").parent
    spec: dict[str, JsonValue] = {
        "model": {"pretrained": str(weights), "backbone": "vitl14"},
        "dataset": {"sources": [{"folder": str(images), "name": "NYU"}, {"folder": "/no/such/place"}]},
        "results_dir": str(trial),
    }

    assert readable_paths(spec, own=trial) == (images, weights)


def test_the_images_that_an_annotation_file_lists_are_found(tmp_path: Path, trial: Path) -> None:
    image = make(tmp_path / "elsewhere/rgb/0.png")
    depth = make(tmp_path / "elsewhere/depth/0.png")
    listed = make(tmp_path / "lists/train.txt", f"{image} {depth}\nrelative/1.png /no/such/file.png\n")

    found = readable_paths({"data_file": str(listed)}, own=trial)

    assert found == (depth.parent, image.parent, listed.parent)


def test_a_quoted_path_may_hold_spaces(tmp_path: Path, trial: Path) -> None:
    image = make(tmp_path / "my images/0, left.png")
    listed = make(tmp_path / "lists/train.json", f'[{{"image": "{image}"}}]')

    assert readable_paths({"data_file": str(listed)}, own=trial) == (listed.parent, image.parent)


def test_where_a_link_leads_to_is_found_too(tmp_path: Path, trial: Path) -> None:
    real = make(tmp_path / "store/0.png")
    link = tmp_path / "links/0.png"
    link.parent.mkdir()
    link.symlink_to(real)
    listed = make(tmp_path / "lists/train.txt", f"{link}\n")

    assert readable_paths({"data_file": str(listed)}, own=trial) == (link.parent, listed.parent, real.parent)


def test_what_the_user_names_is_added_and_nested_paths_are_one(tmp_path: Path, trial: Path) -> None:
    inner = make(tmp_path / "data/scenes/0/rgb.png")

    found = readable_paths({"file": str(inner)}, [str(tmp_path / "data")], own=trial)

    assert found == (tmp_path / "data",)


@pytest.mark.parametrize("text", ["/", "/tmp", "/usr/bin", "/etc/hosts", "/dev/null", "relative/path", ""])  # noqa: S108 # refused
def test_paths_of_the_image_itself_are_never_mounted_over(text: str, trial: Path) -> None:
    assert readable_paths({"path": text}, own=trial) == ()
