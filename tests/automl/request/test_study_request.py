"""Study files: what they say, and every way in which they can be wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.request.study_request import default_name, load_study_request, request_from_document

if TYPE_CHECKING:
    from pathlib import Path

STUDY = """
skill: depth_net_mono
policy: on
objective: {metric: val/d1, direction: maximize}
prepare: {command: [make-it, "{prepared}"], directory: data_set}
data: {train: "{prepared}/train.txt", val: lists/val.txt}
set: {train: {num_epochs: 3}}
search: ["train.optim.lr=1e-5..1e-3:log"]
budget: {trials: 4, time: 20min}
resources: {jobs: 2, gpus_per_trial: 0.5}
seed: 3
"""


def write(tmp_path: Path, text: str) -> str:
    file = tmp_path / "depth" / "first.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_study_file_says_what_to_run(tmp_path: Path) -> None:
    request = load_study_request(write(tmp_path, STUDY))

    assert (request.skill, request.policy, request.metric, request.trials, request.time_s) == (
        "depth_net_mono",
        "on",
        "val/d1",
        4,
        1200,
    )
    assert request.name == "depth-first"
    assert request.data["val"] == str(tmp_path / "depth" / "lists" / "val.txt")
    assert request.data["train"] == "{prepared}/train.txt"
    assert (request.jobs, request.gpus_per_trial, request.seed) == (2, 0.5, 3)


def test_a_request_survives_its_json_form(tmp_path: Path) -> None:
    request = load_study_request(write(tmp_path, STUDY))

    assert request_from_document(json.loads(json.dumps(request.document()))) == request


def test_every_problem_of_a_study_is_reported_at_once_with_a_suggestion(tmp_path: Path) -> None:
    file = write(tmp_path, "skill: depth_net_mono\nsamplr: tpe\nbudget: {trails: 3, trials: 0}\nseed: many\n")

    with pytest.raises(ConfigurationError) as caught:
        load_study_request(file)

    text = str(caught.value)
    assert "4 problems in the study" in text
    assert "did you mean sampler?" in text
    assert "did you mean trials?" in text
    assert "seed" in text


@pytest.mark.parametrize("text", ["", "- a list\n", "just text\n"])
def test_a_file_without_a_mapping_is_no_study(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="problem"):
        load_study_request(write(tmp_path, text))


def test_a_duration_that_cannot_be_read_is_a_problem_of_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"budget\.time"):
        load_study_request(write(tmp_path, "skill: toy\nbudget: {time: soon}\n"))


def test_an_unknown_study_names_the_ready_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"depth_net_mono/demo") as caught:
        load_study_request("depth_net_mono/demmo")

    assert caught.value.exit_status == 2
    assert "did you mean depth_net_mono/demo?" in str(caught.value)


def test_the_ready_demo_study_can_be_read_by_name() -> None:
    request = load_study_request("depth_net_mono/demo")

    assert request.skill == "depth_net_mono"
    assert request.prepare is not None
    assert default_name(request.source) == request.name  # type: ignore[arg-type]  # a study that was read has a source


def test_warm_start_is_a_list_of_studies_or_switched_off(tmp_path: Path) -> None:
    (tmp_path / "depth").mkdir()
    (tmp_path / "depth" / "before").mkdir()

    said = [
        load_study_request(write(tmp_path, f"skill: x\n{line}")).warm_start
        for line in ("warm_start: [before, by-name]", "warm_start: false", "warm_start: true", "")
    ]

    assert said == [(str(tmp_path / "depth" / "before"), "by-name"), (), None, None]


def test_objectives_and_every_stop_of_a_study_can_stand_in_its_file(tmp_path: Path) -> None:
    request = load_study_request(
        write(
            tmp_path,
            """
skill: x
objectives: ["val/d1:maximize", {metric: cost, direction: minimize}]
constraints: ["memory_gib <= 40"]
evaluate_with: python measure.py {spec}
replicates: 2
budget: {gpu_hours: 2.5, target: 0.9, patience_trials: 6, min_improvement: 0.001}
""",
        )
    )

    assert request.objectives == ("val/d1:maximize", "cost:minimize")
    assert (request.constraints, request.evaluate_with) == (
        ("memory_gib <= 40",),
        "python measure.py {spec}",
    )
    assert (request.replicates, request.gpu_hours, request.target) == (2, 2.5, 0.9)
    assert (request.patience_trials, request.min_improvement) == (6, 0.001)
    assert request_from_document(json.loads(json.dumps(request.document()))) == request


def test_launcher_and_image_stand_under_resources_or_options(tmp_path: Path) -> None:
    settings = "shm_size: 32g, mounts: [/data], environment: [MY_TOKEN]"
    resources = f"resources: {{launcher: docker, image: 'mine:1', network: none, container: {{{settings}}}}}"
    options = "options: {launcher: podman, image: 'mine:2', grace_epochs: 2}"

    first = load_study_request(write(tmp_path, f"skill: toy\n{resources}\n"))
    second = load_study_request(write(tmp_path, f"skill: toy\n{options}\n"))

    assert (first.launcher, first.image, first.network) == ("docker", "mine:1", "none")
    assert first.container == {"shm_size": "32g", "mounts": ["/data"], "environment": ["MY_TOKEN"]}
    assert request_from_document(json.loads(json.dumps(first.document()))) == first
    assert (second.launcher, second.image, second.options) == (
        "podman",
        "mine:2",
        {"grace_epochs": 2},
    )


@pytest.mark.parametrize("text", ["resources: {launcher: [warm]}", "resources: {container: {shm: 1g}}"])
def test_a_launcher_that_cannot_be_one_is_a_problem_of_the_file(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        load_study_request(write(tmp_path, f"skill: toy\n{text}\n"))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('skill: "to\\0y"', "skill"),
        ('program: "python train.py --x a\\0"', "program"),
        ('skill: toy\nspec: "a\\0"', "spec"),
        ('skill: toy\ndata: {train: "a\\0"}', "data: train"),
        ('skill: toy\nstudies: [x, "a\\0"]', "studies: 1"),
        ('skill: toy\nwarm_start: ["a\\0"]', "warm_start: 0"),
        ('skill: toy\nevaluate_with: "tr\\0ue"', "evaluate_with"),
    ],
)
def test_a_zero_byte_in_a_path_or_a_program_is_a_problem_of_its_place(text: str, where: str, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError) as caught:
        load_study_request(str(file))

    assert [problem.where for problem in caught.value.problems] == [f"{file}: {where}"]
    assert "a zero byte" in caught.value.problems[0].found


def test_a_value_may_hold_a_zero_byte(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text('skill: toy\nset: {x: "a\\0"}', encoding="utf-8")

    assert load_study_request(str(file)).overrides == {"x": "a\0"}
