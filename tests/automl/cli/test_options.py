"""Options on top of a study file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from automl.cli.app import run_command_line
from automl.cli.paths import results_root
from automl.cli.request_options import build_request
from automl.errors import ConfigurationError

NOTHING_SAID: dict[str, Any] = {"study": None, "skill": None, "data": (), "settings": (), "search": (), "results": None}


def test_without_study_and_skill_the_demo_is_meant() -> None:
    assert build_request(NOTHING_SAID).name == "depth_net_mono-demo"


def test_a_skill_alone_is_a_study_without_a_file() -> None:
    request = build_request({**NOTHING_SAID, "skill": "somewhere/my-skill"})

    assert (request.skill, request.name, request.source) == ("somewhere/my-skill", "my-skill", None)


def test_options_win_over_the_study_file() -> None:
    request = build_request(
        {
            **NOTHING_SAID,
            "trials": 3,
            "policy": "off",
            "settings": ("train.num_epochs=2", "train.optim.lr=1e-4"),
            "data": ("train=here.txt",),
            "search": ("train.optim.*",),
        }
    )

    assert (request.trials, request.policy) == (3, "off")
    assert request.overrides["train.num_epochs"] == "2"  # typed when the skill is known
    assert request.overrides["train.optim.lr"] == "1e-4"
    assert request.data["train"] == str(Path("here.txt").absolute())
    assert request.search[-1] == "train.optim.*"


def test_every_unreadable_option_is_reported_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        build_request({**NOTHING_SAID, "data": ("train",), "settings": ("no-value",)})

    assert {problem.where for problem in caught.value.problems} == {"--data", "--set no-value"}


@pytest.mark.parametrize("option", ["--target", "--gpu-hours", "--min-improvement", "--gpus-per-trial"])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_limit_is_a_finite_number(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["plan", "--skill", "toy", option, value]) == 2
    assert re.search(r"is not (a finite number|in the range)", capsys.readouterr().err)


def test_the_results_folder_is_the_option_then_the_variable_then_results(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AUTOML_RESULTS", raising=False)
    monkeypatch.chdir(tmp_path)
    assert results_root(None) == tmp_path / "results"
    monkeypatch.setenv("AUTOML_RESULTS", str(tmp_path / "other"))
    assert results_root(None) == tmp_path / "other"
    assert results_root(tmp_path / "third") == tmp_path / "third"


def test_warm_start_names_studies_forbids_them_or_leaves_it_to_the_sampler() -> None:
    assert build_request(NOTHING_SAID).warm_start is None
    assert build_request({**NOTHING_SAID, "warm_start": ("a", "b")}).warm_start == ("a", "b")
    assert build_request({**NOTHING_SAID, "no_warm_start": True}).warm_start == ()
    with pytest.raises(ConfigurationError, match="--no-warm-start beside it"):
        build_request({**NOTHING_SAID, "warm_start": ("a",), "no_warm_start": True})


def test_options_are_laid_over_those_of_the_study_file_with_their_types() -> None:
    request = build_request(
        {**NOTHING_SAID, "study": "toy/quick", "named_options": ("grace_epochs=3", "explosion=false")}
    )

    assert request.options["grace_epochs"] == 3
    assert request.options["explosion"] is False
    with pytest.raises(ConfigurationError, match="--option grace_epochs"):
        build_request({**NOTHING_SAID, "named_options": ("grace_epochs",)})


def test_several_objectives_constraints_and_a_command_are_taken_from_the_command_line() -> None:
    objective = {
        "objectives": ("val/d1:max", "cost:min"),
        "constraints": ("memory <= 4",),
        "evaluate_with": "measure {spec}",
    }

    request = build_request(
        {**NOTHING_SAID, **objective, "replicates": 3, "patience_trials": 5, "min_improvement": 0.1}
    )

    assert (request.objectives, request.constraints) == (
        objective["objectives"],
        objective["constraints"],
    )
    assert (request.evaluate_with, request.replicates) == ("measure {spec}", 3)
    assert (request.patience_trials, request.min_improvement) == (5, 0.1)


def test_a_results_folder_that_no_json_file_can_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="UTF-8"):
        results_root(Path(os.fsdecode(b"results\xff")))
    for name in ("what?", "100%41"):
        with pytest.raises(ConfigurationError, match=r"a path without `\?`"):
            results_root(Path("/data", name))
    assert results_root(Path("/data/100% résults #1")) == Path("/data/100% résults #1")
