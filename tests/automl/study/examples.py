"""A small skill, spec, space, plan and first event for tests that need one of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl.machine import Gpu, Machine
from automl.request.policy import PolicyDecision, Route
from automl.request.study_request import StudyRequest
from automl.skill.model import Skill, SkillAction
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from automl.spec.model import Spec
from automl.study.events import StudyStarted
from automl.study.model import StudyParts, StudyPlan
from automl.study.objectives import Direction, Objective
from automl.study.plan import plan_study

CPU_MACHINE = Machine(cpus=2)
GPU_MACHINE = Machine(cpus=32, gpus=tuple(Gpu(index=i, uuid=f"GPU-{i}", name="H200", memory_gib=140) for i in range(4)))

SKILL = Skill(
    name="toy",
    root=Path("/skills/toy"),
    network_arch="toy",
    automl_enabled=True,
    actions={"train": SkillAction(name="train", command="toy train -e {config_path}")},
    templates={},
    schemas={},
    gpu_spec_key="train.num_gpus",
    shorthand_keys={"num_epochs": "train.num_epochs"},
    fingerprints={"skill_info.yaml": "00"},
)
SPEC = Spec(values={"train": {"num_gpus": 1, "num_epochs": 5, "lr": 0.01}})
SPACE = SearchSpace(
    parameters=(Parameter(path="train.lr", type=ParameterType.FLOAT, low=1e-4, high=1.0, log=True, default=0.01),),
    fixed={},
)
OBJECTIVE = Objective(metric="val/d1", direction=Direction.MAXIMIZE, source="test")
TUNE = PolicyDecision(route=Route.TUNE, reasons=("the skill is enabled",))
ONCE = PolicyDecision(route=Route.TRAIN_ONCE, reasons=("policy off",))


def make_plan(
    request: StudyRequest | None = None,
    *,
    decision: PolicyDecision = TUNE,
    space: SearchSpace = SPACE,
    machine: Machine | None = CPU_MACHINE,
    spec: Spec = SPEC,
) -> StudyPlan:
    parts = StudyParts(skill=SKILL, decision=decision, spec=spec, space=space, objectives=(OBJECTIVE,))
    return plan_study(request or StudyRequest(skill="toy", name="example"), parts, machine)


def study_started(**changes: Any) -> StudyStarted:  # noqa: ANN401 # fields of the event
    """Return the first event of a study, of a version that says nothing of the hand-over."""
    fields: dict[str, Any] = {
        "study": "demo",
        "route": "tune",
        "fingerprint": "f" * 64,
        "metric": OBJECTIVE.metric,
        "direction": OBJECTIVE.direction,
        "trials": 5,
        "jobs": 2,
        "max_epochs": 3,
        "process": 7,
        "log_version": 2,
    }
    return StudyStarted(**fields | changes)
