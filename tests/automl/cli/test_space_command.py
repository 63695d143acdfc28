"""`automl space` explains every parameter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from automl.cli.app import run_command_line
from tests.automl.skill.packages import block, leaf, write_skill

if TYPE_CHECKING:
    from pathlib import Path


def test_every_parameter_is_in_or_out_with_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    status = run_command_line(["space", "toy/quick", "--json"])

    document = json.loads(capsys.readouterr().out)
    assert status == 0
    assert document.keys() == {"skill", "network_arch", "parameters", "left_out", "relations", "proposed", "problems"}
    assert all(parameter["reason"] for parameter in document["parameters"])
    assert all(item["reason"] for item in document["left_out"])


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ('{"type": "obj', "Unterminated string starting at in line 1, column 10"),
        (json.dumps({"properties": {f"a{n}": {"type": "integer"} for n in range(20_000)}}), "values"),
        (None, "no such file"),
    ],
)
def test_a_schema_that_cannot_be_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], schema: str | None, found: str
) -> None:
    folder = write_skill(tmp_path, schema={}, template={"lr": 0.1})
    file = folder / "schemas/train.schema.json"
    file.unlink()
    if schema is not None:
        file.write_text(schema, encoding="utf-8")

    assert run_command_line(["space", "--skill", str(folder)]) == 0
    text = capsys.readouterr().out
    assert run_command_line(["space", "--skill", str(folder), "--json"]) == 0
    (problem,) = json.loads(capsys.readouterr().out)["problems"]

    assert found in problem["found"]
    assert f"{file}\n  found     {problem['found']}" in text


@pytest.mark.parametrize("reference", ["depth_net_mono", "toy"])
def test_a_skill_alone_is_enough(reference: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["space", "--skill", reference]) == 0
    assert "train.optim.lr" in capsys.readouterr().out


def test_relations_costs_and_what_an_expert_would_add_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    properties = block(
        low=leaf("int", 320, minimum=32, maximum=1024),
        image_size=leaf("int", 640, minimum=32, maximum=2048, depends_on="data.low", math_cond="> depends_on"),
        lr=leaf("float", 1e-3, minimum=0.0, automl_enabled=False),
    )
    template = {"data": {"low": 320, "image_size": 640, "lr": 1e-3}}
    folder = write_skill(tmp_path, schema={"properties": {"data": properties}}, template=template)

    assert run_command_line(["space", "--skill", str(folder)]) == 0
    both = capsys.readouterr().out
    assert run_command_line(["space", "--skill", str(folder), "--set", "data.low=320"]) == 0
    one = capsys.readouterr().out

    assert "in every trial:\n  data.image_size > data.low" in both
    assert "estimated for" in both
    assert "--search recommended" not in both
    assert "(--search recommended):\n  --search data.lr\n" in one


@pytest.mark.parametrize("count", [19, 15_000])
def test_a_long_list_of_options_is_cut_and_not_the_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int
) -> None:
    options = [f"scheduler_number_{n}" for n in range(count)]
    properties = block(lr_scheduler=leaf("string", options[0], enum=options))
    schema, template = {"properties": {"train": properties}}, {"train": {"lr_scheduler": options[0]}}
    folder = write_skill(tmp_path, schema=schema, template=template)

    assert run_command_line(["space", "--skill", str(folder)]) == 0

    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("train.lr_scheduler "))
    assert f" {{scheduler_num..., scheduler_num..., ... {count:,} options}} " in row
