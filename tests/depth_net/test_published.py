from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from depth_net.published import ACTIONS, published_spec
from depth_net.spec import load_convert_spec, load_spec

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
