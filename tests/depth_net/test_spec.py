from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from depth_net.errors import SpecError
from depth_net.spec import load_convert_spec, load_spec, read_results_folder
from tests.depth_net.specs import write_spec

BANK = Path(os.environ.get("AUTOML_SKILL_BANK", "none")) / "tao-train-depth-anything-v2" / "references"


def test_a_spec_and_its_overrides_make_a_configuration(tmp_path: Path) -> None:
    config = load_spec(write_spec(tmp_path), ["train.optim.lr=3e-4", "model.encoder=vits"], action="train")

    assert config.train.optim.lr == 3e-4
    assert config.model.encoder.value == "vits"


def test_problems_of_the_file_the_overrides_and_the_action_come_together(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)

    with pytest.raises(SpecError) as caught:
        load_spec(spec, ["train.lr=1", "rubbish", "dataset.max_depth="], action="train")

    text = str(caught.value)
    assert text.startswith(f"3 problems in the spec {spec}")
    assert "did you mean train.optim.lr?" in text
    assert "override 'rubbish'" in text
    assert "dataset.max_depth\n" in text


@pytest.mark.skipif(not BANK.is_dir(), reason="AUTOML_SKILL_BANK names no folder with public skills")
@pytest.mark.parametrize("action", ["train", "evaluate", "inference", "export", "quantize", "gen_trt_engine"])
def test_templates_of_the_public_skill_are_accepted_unchanged(action: str) -> None:
    config = load_spec(BANK / f"spec_template_{action}.yaml")

    assert config.results_dir is None


@pytest.mark.skipif(not BANK.is_dir(), reason="AUTOML_SKILL_BANK names no folder with public skills")
def test_the_template_of_the_deploy_container_is_accepted_too() -> None:
    assert load_spec(BANK / "spec_template_deploy.yaml").gen_trt_engine.tensorrt.data_type == "fp32"


@pytest.mark.parametrize(
    ("word", "action"),
    [
        ("quantize.backend=modelopt.pytorch", "quantize"),
        ("export.format=xdl", "export"),
        ("export.input_channel=1", "export"),
        ("train.optim.optimizer=SGD", "train"),
        ("train.optim.optimizer=SGD", "check"),
    ],
)
def test_what_this_trainer_lacks_is_refused_where_it_is_asked_for_alone(tmp_path: Path, word: str, action: str) -> None:
    spec, others = (
        write_spec(tmp_path),
        {"train", "evaluate", "export"} - {action, "train" if action == "check" else ""},
    )
    words = [word, "evaluate.checkpoint=m.pth", "export.checkpoint=m.pth", "quantize.model_path=m.pth"]

    for other in others:
        load_spec(spec, words, action=other)
    with pytest.raises(SpecError, match="1 problem in the spec"):
        load_spec(spec, words, action=action)


@pytest.mark.parametrize("word", ["quantize.mod=x", "quantize.skip_names={a: 1}", "evaluate.num_gpus=many"])
def test_a_wrong_key_or_type_is_refused_in_every_section(tmp_path: Path, word: str) -> None:
    with pytest.raises(SpecError, match="1 problem in the spec"):
        load_spec(write_spec(tmp_path), [word], action="train")


def test_a_reference_that_cannot_be_followed_is_one_problem(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"1 problem in the spec") as caught:
        load_spec(write_spec(tmp_path), ["train.seed=${eval:1+1}"])

    assert "functions are not offered" in str(caught.value)


def test_a_convert_spec_has_its_keys_at_the_root(tmp_path: Path) -> None:
    spec = tmp_path / "convert.yaml"
    spec.write_text(yaml.safe_dump({"results_dir": "r", "data_root": "d", "split_ratio": "0.8"}), encoding="utf-8")

    assert load_convert_spec(spec).split_ratio == 0.8
    with pytest.raises(SpecError, match="data_root"):
        load_convert_spec(spec, ["data_root="])


def test_all_problems_of_a_convert_spec_are_reported_at_once(tmp_path: Path) -> None:
    spec = tmp_path / "convert.yaml"
    spec.write_text("image_dir_pattern: [a, b]\nright_dir_pattern: [c]\nsplit_ratio: 3.0\n", encoding="utf-8")

    with pytest.raises(SpecError, match="5 problems in the spec") as caught:
        load_convert_spec(spec)

    text = str(caught.value)
    assert "right_dir_pattern\n  found     1 patterns\n  expected  2, one per image_dir_pattern" in text
    assert "split_ratio\n  found     3.0\n  expected  a number of at least 0 and of at most 1" in text
    assert "a right image would be read as ground truth" in text
    assert "results_dir\n  found     nothing" in text
    assert "data_root\n  found     nothing" in text


def test_even_a_wrong_spec_shows_its_results_folder(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)

    assert read_results_folder(spec, ["trian=3"], "train") == tmp_path / "results" / "train"
    assert read_results_folder(spec, ["train.results_dir=own"], "train") == Path("own")
    assert read_results_folder(spec, ["results_dir=7"], "train") == Path("7") / "train"
    assert read_results_folder(spec, ["results_dir="], "train") is None
    assert read_results_folder(spec, ["results_dir={a: 1}"], "train") is None


def test_a_wrong_spec_is_reported_without_importing_torch(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom depth_net.cli import main\n"
        f"status = main(['train', '-e', {str(write_spec(tmp_path))!r}, 'train.lr=1'])\n"
        "heavy = {'torch', 'numpy', 'cv2', 'lightning'} & set(sys.modules)\n"
        "sys.exit(f'imported {sorted(heavy)}' if heavy or status != 1 else 0)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("folder", ["2024_11", "no", "1e3", "010", "12:30:45", "2024-11-01", "0x10", "1.50", "null_"])
def test_a_text_keeps_its_spelling(tmp_path: Path, folder: str) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(f"results_dir: {folder}\ntrain: {{allow_tf32: no, num_epochs: 010}}\n", encoding="utf-8")

    written, overridden = load_spec(spec), load_spec(spec, [f"train.results_dir={folder}", "train.num_epochs=012"])

    assert (written.results_dir, overridden.train.results_dir) == (folder, folder)
    assert (written.train.num_epochs, overridden.train.num_epochs, written.train.allow_tf32) == (10, 12, False)
