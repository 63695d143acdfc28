from __future__ import annotations

import pickle
from dataclasses import replace
from typing import TYPE_CHECKING

from automl.skill.load import load_skill
from automl.spec.build import build_spec
from automl.spec.model import Spec
from automl.storage.paths import StudyPaths
from automl.study.causes import Origin, OriginKind
from automl.study.model import Resources
from automl.study.trial import Proposal
from automl.trial.attempts import Start
from automl.trial.task import build_task, study_tag
from tests.automl.executor.toy_study import toy_plan

if TYPE_CHECKING:
    from pathlib import Path

    from automl.skill.model import JsonValue

PROPOSAL = Proposal(number=7, assignment={"mode": "nan"}, origin=Origin(OriginKind.GIVEN))


def test_the_spec_of_a_trial_is_the_plans_with_its_values_and_its_folder(tmp_path: Path) -> None:
    task = build_task(toy_plan(tmp_path / "skill", trials=9), StudyPaths(tmp_path), PROPOSAL, Start(attempt=2))

    assert task.command.spec == {"mode": "nan", "quality": 0.5, "results_dir": str(tmp_path / "trials/0007.2")}
    assert task.directory == tmp_path / "trials/0007.2"
    assert task.command.tag.endswith("/0007/2")
    assert pickle.loads(pickle.dumps(task)) == task  # noqa: S301 # our own bytes


def test_the_device_keys_of_the_spec_count_from_zero(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path / "skill", trials=1)
    plan = replace(
        plan,
        skill=replace(plan.skill, gpu_spec_key="train.num_gpus", node_spec_key="train.num_nodes"),
        spec=Spec(values={"train": {"num_gpus": 1, "gpu_ids": [5], "num_nodes": 1}}),
        resources=Resources(jobs=1, gpus_per_trial=2.0, nodes_per_trial=3),
    )

    task = build_task(plan, StudyPaths(tmp_path), PROPOSAL, Start())

    assert task.command.spec["train"] == {"num_gpus": 2, "gpu_ids": [0, 1], "num_nodes": 3}


def test_a_fraction_of_a_device_is_one_visible_device(tmp_path: Path) -> None:
    plan = toy_plan(tmp_path / "skill", trials=1)
    plan = replace(
        plan,
        skill=replace(plan.skill, gpu_spec_key="num_gpus"),
        resources=Resources(jobs=4, gpus_per_trial=0.25),
    )

    assert build_task(plan, StudyPaths(tmp_path), PROPOSAL, Start()).command.spec["num_gpus"] == 1


def test_limits_are_taken_from_the_options(tmp_path: Path) -> None:
    plan = replace(toy_plan(tmp_path / "skill", trials=1), options={"silence_limit_s": 30, "explosion": False})

    task = build_task(plan, StudyPaths(tmp_path), PROPOSAL, Start())

    assert (task.limits.stall_s, task.limits.trial_s, task.watch.explosion) == (30.0, None, False)


def test_the_tag_of_a_study_depends_on_its_directory_and_has_no_slash(tmp_path: Path) -> None:
    plan = replace(toy_plan(tmp_path / "skill", trials=1), name="a/b c")

    assert study_tag(plan, tmp_path) != study_tag(plan, tmp_path / "other")
    assert "/" not in study_tag(plan, tmp_path)


def test_a_continued_attempt_of_the_depth_trainer_is_passed_its_checkpoint_and_no_weights_to_start_from(
    tmp_path: Path,
) -> None:
    skill = load_skill("depth_net_mono")
    spec = build_spec(skill, "train", overrides={"train.pretrained_model_path": "/weights/start.pth"})
    plan = replace(toy_plan(tmp_path / "skill", trials=1), skill=skill, spec=spec)
    checkpoint = tmp_path / "trials/0007/train/model_epoch_001_step_00020.pth"
    proposal = Proposal(number=7, assignment={"train.optim.lr": 0.001}, origin=Origin(OriginKind.GIVEN))

    begun = build_task(plan, StudyPaths(tmp_path), proposal, Start()).command.spec["train"]
    start = Start(attempt=2, checkpoint=checkpoint, first_epoch=2)
    continued = build_task(plan, StudyPaths(tmp_path), proposal, start).command.spec["train"]

    assert isinstance(begun, dict)
    assert isinstance(continued, dict)
    assert (begun["pretrained_model_path"], begun.get("resume_training_checkpoint_path")) == ("/weights/start.pth", "")
    assert continued["resume_training_checkpoint_path"] == str(checkpoint)
    assert continued["pretrained_model_path"] == ""
    assert continued["optim"]["lr"] == 0.001  # type: ignore[index,call-overload] # JSON


def test_loading_processes_are_divided_among_trials_and_the_users_number_stays(tmp_path: Path) -> None:
    values: dict[str, JsonValue] = {"dataset": {"train": {"workers": 8}, "val": {"workers": 1}, "num_workers": 8}}
    plan = replace(
        toy_plan(tmp_path / "skill", trials=1),
        spec=Spec(values=values, origins={"dataset.num_workers": "override"}),
        resources=Resources(jobs=2, gpus_per_trial=2.0, cpus_per_trial=7.0),
    )

    spec = build_task(plan, StudyPaths(tmp_path), PROPOSAL, Start()).command.spec

    assert spec["dataset"] == {"train": {"workers": 3}, "val": {"workers": 1}, "num_workers": 8}
