"""A study of toy trials for tests: a trainer without libraries whose behaviour is the value of one parameter."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from automl.request.policy import Route
from automl.samplers.searcher import Searcher
from automl.schedulers.base import GO_ON, Action, Decision, Report, Scheduler
from automl.skill.model import ConfigFormat, FileSlot, Skill, SkillAction, SlotKind
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from automl.spec.model import Spec
from automl.study.causes import Origin, OriginKind
from automl.study.events import Measured, StudyEnded, StudyStarted, StudySuspended, TrialEnded, TrialStarted
from automl.study.model import Budget, Resources, StudyLocation, StudyPlan
from automl.study.objectives import Direction, Objective
from automl.study.trial import Proposal, TrialResult
from automl.tracking.base import Tracker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from automl.space.values import Scalar
    from automl.storage.event_log import Entry

LISTED = Origin(OriginKind.GIVEN, detail="list")

TRAINER = '''\
"""Reports three epochs; `mode` says what goes wrong."""
import json, os, pathlib, signal, subprocess, sys, time

spec = json.load(open(sys.argv[1]))
out, mode, quality = pathlib.Path(spec["results_dir"]), spec["mode"], float(spec["quality"])
def report(epoch, **kpi):
    with open(out / "status.json", "a") as stream:
        stream.write(json.dumps({"epoch": epoch, "max_epoch": 3, "status": "RUNNING", "kpi": kpi}) + "\\n")
rank = os.environ.get("NODE_RANK")
if rank is not None:
    names = ("WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT", "NUM_GPU_PER_NODE")
    (out / f"rank{rank}.json").write_text(json.dumps({name: os.environ[name] for name in names}))
    if rank != "0":
        time.sleep(300 if mode == "hang_first" and out.name == "0000" else 0.3)
        sys.exit("rank 1 fails" if mode == "fail_rank" else 0)
    if mode == "fail_rank":
        time.sleep(300)
if mode == "fail":
    sys.exit("RuntimeError: nothing works")
if mode == "hang_first" and out.name == "0000":
    mode = "hang"
if mode == "deaf_first":
    mode = "deaf_hang" if "." not in out.name else "good"
if mode in ("deaf", "deaf_hang"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
resume = spec.get("resume")
begin = int(pathlib.Path(resume).stem[-3:]) + 1 if resume else 0
epochs, epoch_s = (40, 0.5) if mode == "slow" else (int(spec.get("epochs", 3)), float(spec.get("epoch_s", 0.05)))
for epoch in range(begin, epochs):
    time.sleep(epoch_s)
    loss = float("nan") if mode in ("nan", "deaf") and epoch == 1 else 1.0 / (epoch + 1)
    report(epoch, train_loss=loss, **{"val/d1": quality + 0.01 * epoch})
    if mode in ("nan", "deaf", "hang", "deaf_hang") and epoch == 1:
        time.sleep(300)
    if spec.get("keeps_one"):
        (out / f"model_epoch_{epoch - 1:03d}.pth").unlink(missing_ok=True)
    (out / f"model_epoch_{epoch:03d}.pth").write_bytes(b"weights")
'''


class ListSearcher(Searcher):
    """Proposes assignments from a list and remembers what it observes."""

    def __init__(self, assignments: Sequence[Mapping[str, Scalar]]) -> None:
        self.assignments = list(assignments)
        self.asked = 0
        self.observed: list[tuple[int, int, float]] = []
        self.reported: list[TrialResult] = []
        self.paused: list[TrialResult] = []
        self.is_thinking = False

    def growth(self) -> None:
        return None

    def is_ready(self) -> bool:
        return not self.is_thinking

    def prepare(self) -> None:
        pass

    def ask(self) -> Proposal | None:
        return self._proposal() if self.asked < len(self.assignments) else None

    def repeat(self, number: int, seed: int) -> Proposal:
        self.assignments.insert(self.asked, self.assignments[number])
        return replace(self._proposal(), replicate_of=number, seed=seed)

    def proposed(self, proposal: Proposal) -> None:
        self.asked = max(self.asked, proposal.number + 1)

    def observe(self, number: int, epoch: int, value: float) -> None:
        self.observed.append((number, epoch, value))

    def tell(self, result: TrialResult) -> None:
        self.reported.append(result)

    def pause(self, result: TrialResult) -> None:
        self.paused.append(result)

    def clone(self, parent: int, epoch: int) -> Proposal:
        origin = Origin(OriginKind.CLONE, parent=parent, epoch=epoch)
        return Proposal(number=self.asked, assignment=self.assignments[parent], origin=origin)

    def _proposal(self) -> Proposal:
        return Proposal(number=self.asked, assignment=self.assignments[self.asked], origin=LISTED)


@dataclass
class ThresholdRule(Scheduler):
    """Stops what is below a threshold after the first epoch."""

    threshold: float = float("-inf")
    reports: list[Report] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def decide(self, report: Report) -> Decision:
        self.reports.append(report)
        if report.value < self.threshold and report.epoch >= 1:
            return Decision(action=Action.STOP, reason=f"{report.value:g} is below {self.threshold:g}")
        return GO_ON


@dataclass
class ListTracker(Tracker):
    """Remembers the names of events."""

    events: list[str] = field(default_factory=list)

    def record(self, entry: Entry) -> None:
        match entry.event:
            case StudyStarted():
                self.events.append("study started")
            case TrialStarted() as event:
                self.events.append(f"trial {event.trial} started, attempt {event.attempt}")
            case Measured() as event:
                self.events.append(f"trial {event.trial} measured epoch {event.epoch}")
            case TrialEnded() as event:
                self.events.append(f"trial {event.result.number} {event.result.state.value}")
            case StudyEnded() as event:
                self.events.append(f"study ended with {event.trials} trials")
            case StudySuspended() as event:
                self.events.append(f"study suspended: {event.reason}")
            case _:
                pass


def toy_skill(root: Path, command: str | None = None) -> Skill:
    """Write the toy trainer and return its skill."""
    root.mkdir(parents=True, exist_ok=True)
    trainer = root / "trainer.py"
    trainer.write_text(TRAINER, encoding="utf-8")
    action = SkillAction(
        name="train",
        command=command or f"{sys.executable} -S -E {trainer} {{config_path}}",
        config_format=ConfigFormat.JSON,
        outputs=(FileSlot(key="results_dir", kind=SlotKind.FOLDER),),
        spec_params=MappingProxyType({"resume": "resume_model"}),
    )
    return Skill(
        name="toy",
        root=root,
        network_arch="toy",
        automl_enabled=True,
        actions=MappingProxyType({"train": action}),
        templates=MappingProxyType({}),
        schemas=MappingProxyType({}),
    )


def toy_plan(root: Path, *, trials: int, jobs: int = 2, budget: Budget | None = None, **values: Scalar) -> StudyPlan:
    """Return a plan over `mode` and `quality`; ``values`` are laid over the spec."""
    space = SearchSpace(
        parameters=(
            Parameter(path="mode", type=ParameterType.CATEGORICAL, choices=("good", "nan", "fail", "hang", "deaf")),
            Parameter(path="quality", type=ParameterType.FLOAT, low=0.0, high=1.0),
        ),
        fixed=MappingProxyType({}),
    )
    return StudyPlan(
        name="toy",
        route=Route.TUNE,
        reasons=(),
        skill=toy_skill(root),
        action="train",
        spec=Spec(values={"mode": "good", "quality": 0.5, **values}),
        space=space,
        objectives=(Objective(metric="val/d1", direction=Direction.MAXIMIZE),),
        budget=budget or Budget(trials=trials),
        resources=Resources(jobs=jobs, cpus_per_trial=0.5),
        sampler="list",
        scheduler="threshold",
        seed=0,
        max_epochs=3,
        first_trials=(),
    )


def toy_location(root: Path) -> StudyLocation:
    """Return the location of a study under a folder."""
    return StudyLocation(directory=root / "study", tracking_uri="")
