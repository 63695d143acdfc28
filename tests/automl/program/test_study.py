"""A study file with a program, up to its plan and the command of each trial."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from automl.errors import ConfigurationError
from automl.program.skill import name_pattern, program_skill
from automl.request.location import RunLocation
from automl.request.policy import Route
from automl.request.study_request import load_study_request, request_from_document
from automl.review import review_plan
from automl.run import make_plan
from automl.spec.build import override_problems
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import described_skill
from automl.study.causes import Origin, OriginKind
from automl.study.trial import Proposal
from automl.trial.attempts import Start
from automl.trial.task import build_task, launch_request

if TYPE_CHECKING:
    from automl.study.model import StudyPlan

SCRIPT = """
import argparse
p = argparse.ArgumentParser()
p.add_argument("--lr", type=float, default=0.01)
p.add_argument("--optimizer", default="adam", choices=["adam", "sgd"])
p.add_argument("--momentum", type=float, default=0.9)
p.add_argument("--ema", action="store_true")
p.add_argument("--flip", type=bool, default=True)
p.add_argument("--epochs", type=int, default=10)
"""
PLACE = RunLocation(results=Path("/nowhere/results"))


def study(folder: Path, **keys: Any) -> Path:  # noqa: ANN401 # keys of a study file
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(SCRIPT, encoding="utf-8")
    document = {
        "program": "python train.py --lr {lr} --optimizer {opt}",
        "search": {"lr": "1e-5..1e-1 log", "opt": ["adam", "sgd"]},
        "objective": "val_acc maximize",
        **keys,
    }
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump({key: value for key, value in document.items() if value}), encoding="utf-8")
    return file


def plan_of(file: Path) -> StudyPlan:
    return make_plan(load_study_request(str(file)), PLACE)


def problems_of(file: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        plan_of(file)
    return str(caught.value)


def command_of(plan: StudyPlan, assignment: dict[str, Any], **start: Any) -> list[str]:  # noqa: ANN401 # fields of a start
    proposal = Proposal(number=0, assignment=assignment, origin=Origin(OriginKind.TEMPLATE))
    return list(launch_request(build_task(plan, StudyPaths(Path("/s")), proposal, Start(**start))).command)


def test_a_study_file_alone_is_a_search(tmp_path: Path) -> None:
    plan = plan_of(study(tmp_path))

    assert plan.route is Route.TUNE
    assert plan.space.paths == ("lr", "opt")
    assert plan.space["lr"].log
    assert (plan.objective.metric, plan.objective.direction) == ("val_acc", "maximize")
    assert plan.max_epochs == 10
    assert command_of(plan, {"lr": 1e-5, "opt": "sgd"}) == ["python", "train.py", "--lr", "1e-05", "--optimizer", "sgd"]


def test_nothing_that_is_said_of_a_program_speaks_of_a_skill_or_a_template(tmp_path: Path) -> None:
    file = study(
        tmp_path, search={"lr": "1e-5..1e-1 log", "width": "16..256 log"}, program="python train.py {overrides}"
    )
    request = load_study_request(str(file))
    plan = plan_of(file)

    said = review_plan(request, plan, PLACE)

    assert said["first_origins"][0] == "the program's own defaults, but width: the middle of its range"
    assert not {"skill", "template"} & set(re.findall(r"\w+", str([said["reasons"], said["launch"], said["estimate"]])))
    assert said["reasons"][0] == "policy on (the default): you gave the ranges"
    assert "program" in described_skill(said["skill"])
    once = make_plan(request.with_settings(policy="off"), PLACE)
    assert once.reasons == ("--policy off", "search: without effect, training runs once")
    assert str(once.origin) == "the program's own defaults"


def test_trial_0_has_the_programs_defaults_else_the_middle_and_the_plan_says_which(tmp_path: Path) -> None:
    command = "python train.py --lr {lr} --width {width} --act {act}"
    search = {"lr": "1e-5..1e-1 log", "width": "16..256:log", "act": ["relu", "gelu"]}
    plan = plan_of(study(tmp_path, program=command, search=search))

    assert dict(plan.first_trials[0]) == {"lr": 0.01, "width": 64, "act": "relu"}
    assert plan.space["lr"].reason.endswith("trial 0: the default of train.py")
    assert plan.space["width"].reason.endswith("trial 0: the middle of its range")
    assert plan.space["act"].reason.endswith("trial 0: the first of its options")


def test_a_condition_and_a_scale_of_the_file_hold_in_the_space(tmp_path: Path) -> None:
    momentum = {"range": "0.8..0.999", "scale": "one_minus_log", "when": {"opt": "sgd"}}
    command = "python train.py --lr {lr} --optimizer {opt} --momentum {momentum}"
    search = {"lr": "1e-5..1e-1 log", "opt": ["adam", "sgd"], "momentum": momentum}
    plan = plan_of(study(tmp_path, program=command, search=search))

    assert plan.space["momentum"].from_unit(0.5) == pytest.approx(1 - (0.2 * 0.001) ** 0.5)
    assert "momentum" not in plan.first_trials[0]
    assert command_of(plan, {"lr": 0.1, "opt": "adam"})[-2:] == ["--momentum", "0.9"]


def test_overrides_are_words_of_what_is_searched_and_set_and_of_nothing_else(tmp_path: Path) -> None:
    search = {"lr": "1e-5..1e-1 log", "ema": [True, False]}
    options = plan_of(study(tmp_path, program="python train.py --{overrides}", search=search, set={"epochs": 3}))
    words = plan_of(study(tmp_path / "b", program="python train.py {overrides}", search=search))

    assert command_of(options, {"lr": 0.1, "ema": True}) == ["python", "train.py", "--lr=0.1", "--ema", "--epochs=3"]
    assert command_of(options, {"lr": 0.1, "ema": False}) == ["python", "train.py", "--lr=0.1", "--epochs=3"]
    assert command_of(words, {"lr": 0.1, "ema": True}) == ["python", "train.py", "lr=0.1", "ema=True"]


def test_a_checkpoint_is_given_to_an_attempt_that_continues(tmp_path: Path) -> None:
    report = {"checkpoint": "ckpt/epoch={epoch}-*.ckpt", "resume": "--resume {checkpoint}"}
    plan = plan_of(study(tmp_path, report=report))
    values = {"lr": 0.1, "opt": "sgd"}

    assert command_of(plan, values, checkpoint=Path("/s/a b.ckpt"))[-2:] == ["--resume", "/s/a b.ckpt"]
    assert "--resume" not in command_of(plan, values)


def test_an_argument_without_a_default_can_be_set(tmp_path: Path) -> None:
    keys = {"program": "python train.py --{overrides}", "search": {"lr": "1e-5..1e-1"}}
    file = study(tmp_path, **keys, set={"width": 3})
    (tmp_path / "train.py").write_text(f"{SCRIPT}p.add_argument('--width', type=int, required=True)\n", "utf-8")
    plan = plan_of(file)

    assert "--width=3" in command_of(plan, {"lr": 0.1})
    assert not override_problems(plan.skill, "train", {"width": 3})
    assert override_problems(plan.skill, "train", {"breadth": 3})


def test_values_reach_a_shell_quoted(tmp_path: Path) -> None:
    plan = plan_of(study(tmp_path, program="FOO=1 python train.py --lr {lr} --optimizer {opt} | tee log"))

    assert (
        command_of(plan, {"lr": 0.1, "opt": "a;b"})[2] == "FOO=1 python train.py --lr 0.1 --optimizer 'a;b' | tee log"
    )


def test_a_program_runs_in_its_own_working_folder_and_knows_the_trials(tmp_path: Path) -> None:
    plan = plan_of(study(tmp_path))
    proposal = Proposal(number=3, assignment={"lr": 0.1, "opt": "sgd"}, origin=Origin(OriginKind.TEMPLATE))
    request = launch_request(build_task(plan, StudyPaths(Path("/s")), proposal, Start()))

    assert request.directory == Path("/s/trials/0003/work")
    assert request.environment["AUTOML_TRIAL_DIR"] == "/s/trials/0003"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"program": "python train.py --lr {lr}"}, "opt is searched, and the command has no place for it"),
        ({"set": {"epochs": 2}}, "epochs is set, and the command has no place for it"),
        ({"program": "python train.py --lr {lr} --optimizer {opt} --x {x}"}, "neither searched nor set"),
        ({"report": {"checkpoint": "last.pt"}}, "names no epoch"),
        ({"report": {"checkpoint": "{trial}.pt"}}, "{trial} in {trial}.pt"),
        ({"report": {"resume": "--resume"}}, "without {checkpoint}"),
        ({"program": None}, "either skill or program"),
        ({"objective": "val_acc best now"}, "a metric and maximize or minimize"),
        ({"search": {"lr": "1e-1..1e-5", "opt": ["adam"]}}, "exchange the two ends"),
        ({"search": {"lr": "1e-5..1e-1", "opt": ["adam", "rmsprop"]}}, "one of adam, sgd"),
        (
            {"program": "python train.py --{overrides}", "search": {"flip": [True, False]}},
            "type=bool, which takes every text as true",
        ),
    ],
)
def test_what_would_be_ignored_or_wrong_is_refused(tmp_path: Path, keys: dict[str, Any], said: str) -> None:
    assert said in problems_of(study(tmp_path, **keys))


def test_a_program_is_the_same_skill_after_its_request_was_stored(tmp_path: Path) -> None:
    file = study(tmp_path, report={"first_epoch": 1})
    request = load_study_request(str(file))
    stored = request_from_document(request.document())

    assert make_plan(stored, PLACE).fingerprint == plan_of(file).fingerprint
    (tmp_path / "train.py").write_text(SCRIPT.replace("0.01", "0.02"), encoding="utf-8")
    assert make_plan(stored, PLACE).skill.fingerprints != plan_of(study(tmp_path)).skill.fingerprints


def test_patterns_of_checkpoints_become_names() -> None:
    match = re.fullmatch(name_pattern("ckpt/epoch={epoch}-step={step}-*.ckpt"), "ckpt/epoch=12-step=300-a.b.ckpt")

    assert match is not None
    assert match.groupdict() == {"epoch": "12", "step": "300"}
    assert re.fullmatch(name_pattern("m{epoch}.pt"), "m1xpt") is None
    assert re.fullmatch(name_pattern("*/ckpt_{epoch}.pt"), "ckpt_3.pt") is not None
    assert program_skill(
        {"command": "train", "folder": "/x", "checkpoint": "best*.pt"}
    ).architecture.checkpoints.best_names


def test_a_function_is_the_same_program_where_its_file_has_moved_to(tmp_path: Path) -> None:
    document = {"command": "python -m automl.run_function {function} {config_path}", "folder": str(tmp_path)}
    before, after = (program_skill({**document, "file": f"/{folder}/f-0123.pkl"}) for folder in ("a b", "c"))
    other = program_skill({**document, "file": "/c/f-4567.pkl"})

    assert before.fingerprints == after.fingerprints != other.fingerprints
    assert before.actions["train"].command == "python -m automl.run_function '/a b/f-0123.pkl' {config_path}"
    assert before.is_function
    assert not program_skill(document).is_function


def test_what_calls_a_function_is_no_script_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "automl").mkdir()
    source = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=9.0)\n"
    (tmp_path / "automl/run_function.py").write_text(source, encoding="utf-8")
    document = {"command": "python -m automl.run_function {function} {config_path}", "folder": str(tmp_path)}

    of_function, of_program = (
        program_skill({**document, **file}).actions["train"].program for file in ({"file": "/a/f-0123.pkl"}, {})
    )

    assert of_function is not None
    assert of_program is not None
    assert not of_function.arguments
    assert of_program.arguments.keys() == {"lr"}
