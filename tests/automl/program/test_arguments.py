"""What scripts declare, read from their source."""

from __future__ import annotations

import ast
import textwrap
from typing import TYPE_CHECKING

import pytest

from automl.program.arguments import needs_subcommand, read_arguments

if TYPE_CHECKING:
    from automl.skill.program import Argument


def read(source: str) -> tuple[str, dict[str, Argument]]:
    library, arguments = read_arguments([ast.parse(textwrap.dedent(source))])
    return library, {argument.path: argument for argument in arguments}


def test_argparse_declares_flags_types_defaults_and_choices() -> None:
    library, found = read("""
        import argparse
        RATE = 1e-3
        p = argparse.ArgumentParser()
        p.add_argument("data")
        p.add_argument("-l", "--learning-rate", type=float, default=RATE, help="step size")
        p.add_argument("--wd", type=float, default=1)
        p.add_argument("--opt", choices=["adam", "sgd"], default="adam")
        p.add_argument("--ema", action="store_true")
        p.add_argument("--amp", action=argparse.BooleanOptionalAction, default=True)
        p.add_argument("--flip", type=bool, default=True)
        p.add_argument("--batch", default=compute())
    """)

    rate = found["learning_rate"]
    assert library == "argparse"
    assert (rate.flag, rate.kind, rate.default, rate.text) == ("--learning-rate", "float", 1e-3, "step size")
    assert isinstance(found["wd"].default, float)
    assert found["opt"].choices == ("adam", "sgd")
    assert (found["ema"].is_flag, found["ema"].default, found["ema"].negative) == (True, False, "")
    assert (found["amp"].default, found["amp"].negative) == (True, "--no-amp")
    assert found["flip"].is_any_text_true
    assert found["batch"].default is None
    assert found["data"].flag == ""


def test_click_options_are_read() -> None:
    library, found = read("""
        import click
        @click.command()
        @click.option("--lr", default=0.1, type=float)
        @click.option("--opt", type=click.Choice(["adam", "sgd"]), default="sgd")
        @click.option("--ema/--no-ema", default=False)
        def main(lr, opt, ema): ...
    """)

    assert library == "click"
    assert found["lr"].default == 0.1
    assert found["opt"].choices == ("adam", "sgd")
    assert (found["ema"].flag, found["ema"].negative, found["ema"].is_flag) == ("--ema", "--no-ema", True)


def test_typer_reads_the_signature() -> None:
    source = """
        import typer
        def main(learning_rate: float = 1e-3, depth: int = typer.Option(3, help="layers"), ema: bool = False): ...
        typer.run(main)
    """
    library, found = read(source)

    assert library == "typer"
    assert (found["learning_rate"].flag, found["learning_rate"].default) == ("--learning-rate", 1e-3)
    assert (found["depth"].default, found["depth"].text) == (3, "layers")
    assert found["ema"].negative == "--no-ema"


def test_dataclasses_of_an_hf_argument_parser_are_read() -> None:
    library, found = read("""
        from dataclasses import dataclass, field
        from transformers import HfArgumentParser, TrainingArguments
        @dataclass
        class Own:
            learning_rate: float = field(default=5e-5, metadata={"help": "rate"})
            warmup: int | None = None
        HfArgumentParser((Own, TrainingArguments)).parse_args_into_dataclasses()
    """)

    assert library == "HfArgumentParser"
    assert (found["learning_rate"].default, found["learning_rate"].text) == (5e-5, "rate")
    assert found["warmup"].kind == "int"


def test_the_classes_of_a_lightning_cli_give_dotted_names() -> None:
    library, found = read("""
        from typing import Literal
        from lightning.pytorch.cli import LightningCLI
        class Net:
            def __init__(self, lr: float = 0.01, act: Literal["relu", "gelu"] = "relu"): ...
        class Data:
            def __init__(self, batch_size: int = 32): ...
        LightningCLI(Net, datamodule_class=Data)
    """)

    assert library == "lightning"
    assert (found["model.lr"].flag, found["model.lr"].default) == ("--model.lr", 0.01)
    assert found["model.act"].choices == ("relu", "gelu")
    assert found["data.batch_size"].default == 32


def test_a_lightning_cli_of_the_users_own_reads_inherited_arguments_but_no_linked_ones() -> None:
    library, found = read("""
        import lightning.pytorch.cli as cli
        class Base:
            def __init__(self, lr: float = 1, classes: int = 2): ...
        class Net(Base):
            def forward(self, x): ...
        class Mine(cli.LightningCLI):
            def add_arguments_to_parser(self, parser):
                parser.link_arguments("data.classes", "model.classes")
        Mine(Net)
    """)

    assert library == "lightning"
    assert {path: argument.default for path, argument in found.items()} == {"model.lr": 1.0}


def test_the_classes_and_functions_of_a_parser_of_jsonargparse_are_read() -> None:
    library, found = read("""
        from dataclasses import dataclass
        from jsonargparse import ArgumentParser
        @dataclass
        class Optim:
            lr: float = 0.1
        def train(epochs: int = 3): ...
        parser = ArgumentParser()
        parser.add_dataclass_arguments(Optim, "optim")
        parser.add_function_arguments(train)
    """)

    assert library == "jsonargparse"
    assert {path: (one.flag, one.default) for path, one in found.items()} == {
        "optim.lr": ("--optim.lr", 0.1),
        "epochs": ("--epochs", 3),
    }


@pytest.mark.parametrize(
    ("call", "is_needed"), [("LightningCLI(Net)", True), ("LightningCLI(Net, run=False)", False), ("print(1)", False)]
)
def test_only_a_lightning_cli_that_runs_needs_a_subcommand(call: str, is_needed: bool) -> None:  # noqa: FBT001 # a case
    assert needs_subcommand(ast.parse(call)) == is_needed


def test_a_function_of_jsonargparse_is_read_and_a_plain_script_declares_nothing() -> None:
    assert read("from jsonargparse import CLI\ndef main(lr: float = 0.1): ...\nCLI(main)")[1]["lr"].default == 0.1
    assert read("lr = 0.1\nprint(lr)") == ("", {})


DECLARED = {
    "absl": """
        from absl import flags
        flags.DEFINE_float("lr", 1e-3, "rate", lower_bound=0)
        flags.DEFINE_enum("opt", "adam", ["adam", "sgd"], "which")
        flags.DEFINE_bool("ema", False, "average")
        flags.DEFINE_string("workdir", None, "where", required=True)
    """,
    "click": """
        import click
        @click.command()
        @click.option("--lr", default=1e-3, type=click.FloatRange(0), help="rate")
        @click.option("--opt", type=click.Choice(["adam", "sgd"]), default="adam")
        @click.option("--ema/--no-ema", default=False)
        @click.option("--workdir", required=True)
        def main(lr, opt, ema, workdir): ...
    """,
    "typer": """
        import enum, typer
        class Opt(str, enum.Enum):
            adam = "adam"
            sgd = "sgd"
        app = typer.Typer()
        @app.command()
        def main(workdir: str = typer.Option(...), lr: float = typer.Option(1e-3, help="rate", min=0),
                 opt: Opt = Opt.adam, ema: bool = False): ...
    """,
}


@pytest.mark.parametrize("library", DECLARED)
def test_limits_options_flags_and_what_is_required_are_read(library: str) -> None:
    read_by, found = read(DECLARED[library])

    assert read_by == library
    assert (found["lr"].default, found["lr"].text, found["lr"].limits) == (1e-3, "rate", (0, None))
    assert (found["opt"].choices, found["opt"].default) == (("adam", "sgd"), "adam")
    assert (found["ema"].is_flag, found["ema"].negative.replace("no-", "no")) == (True, "--noema")
    assert [path for path, one in found.items() if one.is_required] == ["workdir"]


def test_the_blocks_of_tyro_and_the_function_of_fire_are_read() -> None:
    _, blocks = read("""
        import tyro
        from dataclasses import dataclass, field
        @dataclass
        class Optim:
            weight_decay: float = 1e-2
            nesterov: bool = False
        @dataclass
        class Config:
            optim: Optim = field(default_factory=Optim)
            steps: int = 2**5 * 3
        tyro.cli(Config)
    """)
    library, found = read("import fire\ndef train(lr=0.1): ...\nfire.Fire(train)\n")

    assert (blocks["optim.weight_decay"].flag, blocks["steps"].default) == ("--optim.weight-decay", 96)
    assert blocks["optim.nesterov"].negative == "--optim.no-nesterov"
    assert (library, found["lr"].flag, found["lr"].kind) == ("fire", "--lr", "float")
