"""The script behind a command, and the values that count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.program.script import find_script, read_script

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PARSER = """
import argparse
p = argparse.ArgumentParser()
p.add_argument("--lr", type=float, default=0.1)
p.add_argument("--optimizer", default="adam")
p.add_argument("--epochs", type=int, default=10)
"""


def test_a_script_is_found_behind_interpreters_launchers_and_modules(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    for name in ("train.py", "pkg/go.py"):
        (tmp_path / name).write_text("", encoding="utf-8")

    assert (
        find_script(["torchrun", "--nproc_per_node", "2", "train.py", "--lr", "1"], tmp_path) == tmp_path / "train.py"
    )
    assert find_script(["python", "-m", "pkg.go"], tmp_path) == tmp_path / "pkg/go.py"
    assert find_script(["depth_net", "train"], tmp_path) is None


def test_what_the_command_itself_says_counts_before_the_source(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PARSER, encoding="utf-8")

    script = read_script("python train.py --epochs 3 --lr {lr} --optimizer {opt}", tmp_path)

    assert script.library == "argparse"
    assert script.arguments["epochs"].default == 3
    assert script.arguments["lr"].default == 0.1
    assert script.arguments["opt"].default == "adam"


def test_a_parser_in_a_module_beside_the_script_is_found(tmp_path: Path) -> None:
    (tmp_path / "options.py").write_text(PARSER, encoding="utf-8")
    (tmp_path / "train.py").write_text("from options import p\np.parse_args()", encoding="utf-8")

    script = read_script("python train.py", tmp_path)

    assert script.arguments["lr"].default == 0.1
    assert [file.name for file in script.files] == ["train.py", "options.py"]


def test_a_hydra_configuration_is_composed_of_its_groups(tmp_path: Path) -> None:
    (tmp_path / "conf/optimizer").mkdir(parents=True)
    (tmp_path / "conf/config.yaml").write_text(
        "defaults:\n  - optimizer: adam\n  - _self_\nepochs: 4\noptimizer: {lr: 0.5}\nname: ${epochs}\n",
        encoding="utf-8",
    )
    (tmp_path / "conf/optimizer/adam.yaml").write_text("name: adam\nlr: 0.1\n", encoding="utf-8")
    (tmp_path / "train.py").write_text(
        'import hydra\n@hydra.main(version_base=None, config_path="conf", config_name="config")\ndef main(c): ...\n',
        encoding="utf-8",
    )

    script = read_script("python train.py epochs=2 {overrides}", tmp_path)

    values = {path: argument.default for path, argument in script.arguments.items()}
    assert script.library == "hydra"
    assert values == {"optimizer.name": "adam", "optimizer.lr": 0.5, "epochs": 2}


def test_nothing_of_a_script_is_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.py").write_text("print('run')\nraise SystemExit(1)\n", encoding="utf-8")

    assert read_script("python train.py", tmp_path).arguments == {}
    assert capfd.readouterr().out == ""
