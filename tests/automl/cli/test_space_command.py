"""`automl space` explains every parameter."""

from __future__ import annotations

import json

import pytest

from automl.cli.app import run_command_line


def test_every_parameter_is_in_or_out_with_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    status = run_command_line(["space", "toy/quick", "--json"])

    document = json.loads(capsys.readouterr().out)
    assert status == 0
    assert document.keys() == {"skill", "network_arch", "parameters", "left_out"}
    assert all(parameter["reason"] for parameter in document["parameters"])
    assert all(item["reason"] for item in document["left_out"])


@pytest.mark.parametrize("reference", ["depth_net_mono", "toy"])
def test_a_skill_alone_is_enough(reference: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["space", "--skill", reference]) == 0
    assert "train.optim.lr" in capsys.readouterr().out
