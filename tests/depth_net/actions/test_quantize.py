from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from depth_net.actions import evaluate, inference, quantize
from depth_net.errors import SpecError
from tests.depth_net.actions.trained import load_trained, open_status
from tests.depth_net.specs import read_status

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore")  # torchao warns about its own compiled parts


def test_a_quantised_checkpoint_is_evaluated_and_used_for_inference(tmp_path: Path) -> None:
    quantize.run(load_trained(tmp_path, "quantize"), open_status(tmp_path / "quantize"))
    quantised = tmp_path / "results" / "quantize" / "quantized_model_torchao.pth"
    config = load_trained(tmp_path, "evaluate")
    evaluate.run(config, open_status(tmp_path / "full"))

    words = (f"evaluate.checkpoint={quantised}", f"inference.checkpoint={quantised}", "dataset.max_depth=null")
    evaluate.run(load_trained(tmp_path, "evaluate", *words), open_status(tmp_path / "eight_bits"))
    inference.run(load_trained(tmp_path, "inference", *words), open_status(tmp_path / "inference"))

    scores = [read_status(tmp_path / name)[-1]["kpi"]["val/abs_rel"] for name in ("full", "eight_bits")]
    assert scores[0] != scores[1]
    assert scores[1] == pytest.approx(scores[0], rel=0.02)
    assert quantised.stat().st_size < 0.7 * (tmp_path / "checkpoint.pth").stat().st_size
    warning = next(line for line in read_status(tmp_path / "quantize") if line.get("code") == "default_rule")
    assert warning["verbosity"] == "WARNING"


def test_a_quantised_checkpoint_is_not_quantised_again(tmp_path: Path) -> None:
    quantize.run(load_trained(tmp_path, "quantize"), open_status(tmp_path))
    quantised = tmp_path / "results" / "quantize" / "quantized_model_torchao.pth"

    with pytest.raises(SpecError, match="quantised already"):
        quantize.run(load_trained(tmp_path, "quantize", f"quantize.model_path={quantised}"), open_status(tmp_path))


def test_rules_that_match_nothing_write_no_file(tmp_path: Path) -> None:
    config = load_trained(tmp_path, "quantize", "quantize.skip_names=[Linear]")

    with pytest.raises(SpecError, match="found no layer to quantise"):
        quantize.run(config, open_status(tmp_path))
    assert not (tmp_path / "results" / "quantize").exists()
