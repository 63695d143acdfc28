"""The script behind a command, and the values that count."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest

from automl.program.script import find_script, read_script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("sh run.sh --lr {lr}", ["run.sh"]),
        ("./solver {lr}", ["solver"]),
        ("python train.py --config=big.yaml {lr}", ["train.py", "beside.py", "big.yaml"]),
        ("python -m pkg.go {lr}", ["pkg/go.py", "pkg/__init__.py"]),
        ("python train.py --data data.npz --out log.txt {lr}", ["train.py", "beside.py"]),
        ("env/bin/python train.py {lr}", ["train.py", "beside.py"]),
        ("python nothing.py {lr}", []),
    ],
)
def test_the_files_of_a_program_are_what_it_imports_and_the_command_names(
    tmp_path: Path, command: str, names: list[str]
) -> None:
    for name in ("train.py", "beside.py", "run.sh", "solver", "big.yaml", "data.npz", "log.txt", "pkg/go.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("import beside" if name == "train.py" else "", encoding="utf-8")
    (tmp_path / "pkg/__init__.py").touch()
    (tmp_path / "solver").chmod(0o755)
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "env/bin/python").symlink_to(sys.executable)

    assert read_script(command, tmp_path).files == tuple(tmp_path / name for name in names)


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


CONFIGS = {
    "conf/config.yaml": "defaults:\n  - base\n  - optim: adam\n  - data/loader: small\n  - _self_\nepochs: 4\n",
    "conf/optim/adam.yaml": "name: adam\nlr: 0.1\n",
    "conf/optim/sgd.yaml": "defaults:\n  - momentum\nname: sgd\nlr: 0.5\n",
    "conf/optim/momentum.yaml": "momentum: 0.9\n",
    "conf/data/loader/small.yaml": "batch: 8\n",
    "schema.py": """
from dataclasses import dataclass, field
from typing import Any
from hydra.core.config_store import ConfigStore
@dataclass
class Net:
    width: int = 32
    dropout: float = 0
@dataclass
class Wide(Net):
    width: int = 64
@dataclass
class Base:
    net: Net = field(default_factory=lambda: Wide(dropout=0.5))
    seed: int = 1
    epochs: int = 1
    optim: Any = None
    data: Any = None
@dataclass
class Lion:
    name: str = "lion"
    lr: float = 3e-4
store = ConfigStore.instance()
store.store(name="base", node=Base)
store.store(group="optim", name="lion", node=Lion)
""",
    "train.py": """
import hydra, json, schema
@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config): print(json.dumps(schema.OmegaConf.to_container(config)))
""",
}


@pytest.mark.parametrize("choice", ["", "optim=sgd", "optim=lion", "optim=lion optim.lr=0.25"])
def test_a_configuration_is_composed_as_hydra_does_it(
    tmp_path: Path, choice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hydra, omegaconf = pytest.importorskip("hydra"), pytest.importorskip("omegaconf")
    for name, text in CONFIGS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))

    script = read_script(f"python train.py {choice} {{overrides}}", tmp_path)

    with hydra.initialize_config_dir(str(tmp_path / "conf"), version_base=None):
        importlib.import_module("schema")
        expected = omegaconf.OmegaConf.to_container(hydra.compose("config", overrides=choice.split()))
    monkeypatch.delitem(sys.modules, "schema")
    values = {path: argument.default for path, argument in script.arguments.items()}
    chosen = choice.partition(" ")[0].removeprefix("optim=") or "adam"
    assert values.pop("hydra.optim") == chosen
    assert values == dict(leaves(expected))
    assert next(iter(script.groups["optim"])) == chosen
    assert set(script.groups["optim"]) == {"adam", "sgd", "momentum", "lion"}


def leaves(values: Any, prefix: str = "") -> Iterator[tuple[str, object]]:  # noqa: ANN401 # of a library
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def test_a_lightning_cli_whose_classes_stand_in_modules_is_read(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("class Net:\n  def __init__(self, lr: float = 0.1): ...\n", encoding="utf-8")
    text = "from lightning.pytorch.cli import LightningCLI\nfrom net import Net\nLightningCLI(Net)\n"
    (tmp_path / "main.py").write_text(text, encoding="utf-8")

    script = read_script("python main.py fit --{overrides}", tmp_path)

    assert script.library == "lightning"
    assert script.arguments["model.lr"].default == 0.1


def test_nothing_of_a_script_is_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.py").write_text("print('run')\nraise SystemExit(1)\n", encoding="utf-8")

    assert read_script("python train.py", tmp_path).arguments == {}
    assert capfd.readouterr().out == ""
