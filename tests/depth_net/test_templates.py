from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from depth_net.spec import load_convert_spec, load_spec
from depth_net.templates import ACTIONS, default_spec, published_spec, write_default_specs

TEMPLATES = Path(__file__).parents[2] / "templates" / "depth_net_mono"


@pytest.mark.parametrize("action", ACTIONS)
def test_the_template_on_disk_is_the_published_spec(action: str) -> None:
    text = (TEMPLATES / f"spec_template_{action}.yaml").read_text(encoding="utf-8")

    assert yaml.safe_load(text) == published_spec(action), "run `make schemas`"


def test_the_training_template_trains_once_its_files_and_a_results_folder_are_named() -> None:
    words = [f"dataset.{split}_dataset.data_sources[0].data_file=list.txt" for split in ("train", "val")]

    config = load_spec(TEMPLATES / "spec_template_train.yaml", [*words, "results_dir=r"], action="train")

    assert config.model.encoder.value == "vits"
    assert (config.dataset.min_depth, config.dataset.max_depth) == (0.001, 10.0)


def test_templates_hold_no_key_that_is_never_read() -> None:
    optim = published_spec("train")["train"]["optim"]

    assert "momentum" not in optim
    assert "warmup_steps" not in optim
    assert published_spec("evaluate").keys() == {"results_dir", "dataset", "model", "evaluate"}


def test_the_convert_template_is_a_spec_of_its_own() -> None:
    assert load_convert_spec(TEMPLATES / "spec_template_convert.yaml", ["results_dir=r", "data_root=d"]).seed == 1234


def test_every_action_has_a_file_of_defaults_that_loads(tmp_path: Path) -> None:
    files = write_default_specs(tmp_path)

    assert [path.stem for path in files] == list(ACTIONS)
    for path in files:
        if path.stem != "convert":
            load_spec(path)


def test_a_file_that_exists_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "export.yaml").write_text("mine", encoding="utf-8")

    with pytest.raises(FileExistsError, match=r"export\.yaml"):
        write_default_specs(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["export.yaml"]


def test_each_spec_of_defaults_has_what_is_shared_and_the_section_of_its_action() -> None:
    assert {"dataset", "model", "export"} <= default_spec("export").keys()
    assert "train" not in default_spec("export")


def test_the_default_spec_of_convert_explains_every_key(tmp_path: Path) -> None:
    write_default_specs(tmp_path / "specs")

    text = (tmp_path / "specs/convert.yaml").read_text(encoding="utf-8")

    assert yaml.safe_load(text) == default_spec("convert")
    assert "# scene keeps the images of one folder below data_root in one split" in text
    assert text.count("# ") == len(default_spec("convert"))


def test_keys_of_our_own_are_explained_in_the_default_spec_and_left_out_of_specs(tmp_path: Path) -> None:
    write_default_specs(tmp_path / "specs")

    text = (tmp_path / "specs/evaluate.yaml").read_text(encoding="utf-8")

    assert yaml.safe_load(text) == default_spec("evaluate")
    assert "protocol" not in default_spec("evaluate")["evaluate"]
    assert "  # Crop, depth range, alignment and averaging as published" in text
    assert "One of nyu, kitti, da2.\n  # protocol:\n" in text


def test_a_key_of_our_own_stands_in_the_spec_once_it_is_set(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("evaluate: {protocol: kitti}", encoding="utf-8")

    assert load_spec(tmp_path / "spec.yaml").to_tree()["evaluate"]["protocol"] == "kitti"
