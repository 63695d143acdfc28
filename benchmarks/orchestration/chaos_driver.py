"""The study of the chaos suite in a process of its own: one trial for each fault of the scripted trainer.

    chaos_driver.py FOLDER FAULTS|FLOOD

Run again in the same folder it goes on where it was.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from automl.study.causes import Origin, OriginKind

sys.path.insert(0, str(Path(__file__).parents[2]))

from automl.errors import AutomlError
from automl.request.policy import Route
from automl.samplers.registry import make_searcher
from automl.schedulers.registry import make_scheduler
from automl.skill.load import load_skill
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from automl.spec.build import build_spec
from automl.study.launch_plan import LauncherKind, LaunchPlan
from automl.study.model import Budget, Resources, StudyLocation, StudyPlan
from automl.study.objectives import Direction, Objective
from tests.acceptance.scripted_skill import build_scripted_skill

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPOCHS = 4


@dataclass(frozen=True)
class Deserved:
    """What a trainer does, and how its trial has to end.

    Attributes:
        state: State and, for a failure, its kind.
        faults: Of the scripted trainer.
    """

    state: str
    faults: Sequence[dict[str, Any]] = ()


FAULTS: dict[str, Deserved] = {
    "no fault": Deserved("COMPLETED"),
    "NaN at epoch 3": Deserved("DIVERGED", [{"kind": "nan", "epoch": 2}]),
    "hangs": Deserved("FAILED timeout", [{"kind": "hang", "epoch": 2}]),
    "exits with 0 after NaN": Deserved("DIVERGED", [{"kind": "nan", "epoch": 2, "for_s": 0.0}]),
    "leaves grandchildren": Deserved("COMPLETED", [{"kind": "grandchildren"}]),
    "writes a huge log": Deserved("COMPLETED", [{"kind": "huge_log", "epoch": 1}]),
    "writes partial lines": Deserved("COMPLETED", [{"kind": "partial_lines"}]),
    "clock jumps": Deserved("COMPLETED", [{"kind": "clock_jump", "epoch": 1}]),
    "ignores SIGTERM, then NaN": Deserved(
        "DIVERGED", [{"kind": "ignore_sigterm"}, {"kind": "grandchildren"}, {"kind": "nan", "epoch": 2}]
    ),
    "runs out of memory": Deserved(
        "FAILED out_of_memory", [{"kind": "exit", "epoch": 1, "text": "torch.OutOfMemoryError: CUDA out of memory."}]
    ),
    "never reports the metric": Deserved("FAILED metric_missing", [{"kind": "metric_missing"}]),
    "truncates its checkpoints": Deserved("COMPLETED", [{"kind": "truncated_checkpoint", "epoch": 1}]),
    "crashes": Deserved("FAILED trainer", [{"kind": "exit", "epoch": 1, "text": "KeyError: 'depth'"}]),
    "leaves named pipes": Deserved(
        "COMPLETED", [{"kind": "pipe", "epoch": 1}, {"kind": "pipe", "epoch": 1, "name": "panels/epoch_001.png"}]
    ),
    "leaves links to files of the machine": Deserved(
        "COMPLETED", [{"kind": "link", "epoch": 1, "name": "panels/epoch_001.png", "target": "/etc/hostname"}]
    ),
    "floods its status file": Deserved("COMPLETED", [{"kind": "flood", "epoch": 1}]),
    "reports names that are none": Deserved("COMPLETED", [{"kind": "bad_names", "epoch": 1}]),
}
ENDLESS = "status lines without end"
FLOODS: dict[str, Deserved] = {
    "nothing unusual": Deserved("COMPLETED"),
    "1,000,000 status lines": Deserved("COMPLETED", [{"kind": "flood", "lines": 1_000_000}]),
    "a log of 300 MB": Deserved("COMPLETED", [{"kind": "huge_log", "mib": 300}]),
    "20,000 metrics in each of 30 epochs": Deserved(
        "COMPLETED", [{"kind": "many_metrics", "count": 20_000, "epochs": 30}]
    ),
    "1,000,000 epochs": Deserved("COMPLETED", [{"kind": "many_epochs", "epochs": 1_000_000}]),
    ENDLESS: Deserved("FAILED timeout", [{"kind": "flood", "lines": 1 << 40}]),
}
LIMIT_S = 40.0
"""Of the trial that floods without end."""


def chosen_faults(which: str) -> dict[str, Deserved]:
    """Return the first so many faults, or the flood of a name."""
    return dict(list(FAULTS.items())[: int(which)]) if which.isdigit() else {which: FLOODS[which]}


def chaos_plan(root: Path, which: str) -> StudyPlan:
    """Return the study; its only parameter is the script of the trainer."""
    skill = load_skill(str(build_scripted_skill(root / "skill", num_epochs=_EPOCHS)))
    scripts = tuple(
        json.dumps({"epoch_s": 0.3, "fault": name, "faults": list(deserved.faults)})
        for name, deserved in chosen_faults(which).items()
    )
    parameter = Parameter(path="script", type=ParameterType.CATEGORICAL, choices=scripts, default=scripts[0])
    return StudyPlan(
        name="chaos",
        route=Route.TUNE,
        launch=LaunchPlan(launcher=LauncherKind.LOCAL),
        reasons=(),
        skill=skill,
        action="train",
        spec=build_spec(skill, "train"),
        space=SearchSpace(parameters=(parameter,), fixed=MappingProxyType({})),
        objectives=(Objective(metric="val/d1", direction=Direction.MAXIMIZE),),
        budget=Budget(trials=len(scripts)),
        resources=Resources(jobs=2, cpus_per_trial=0.5),
        sampler="random",
        scheduler="none",
        seed=0,
        max_epochs=_EPOCHS,
        first_trials=tuple({"script": script} for script in scripts),
        options=MappingProxyType({"trial_time_limit_s": LIMIT_S} if which == ENDLESS else {"silence_limit_s": 45.0}),
    )


def main() -> int:
    """Run or resume the study; return the exit status of what ended it."""
    from automl.executor.ray.study import execute_study  # noqa: PLC0415 - opens Ray

    root = Path(sys.argv[1])
    plan = chaos_plan(root, sys.argv[2])
    plan = replace(plan, first_origins=(Origin(OriginKind.GIVEN, detail="chaos"),) * len(plan.first_trials))
    location = StudyLocation(directory=root / "study", tracking_uri="")
    scheduler = make_scheduler("none", max_epochs=_EPOCHS, trials=plan.budget.trials)
    try:
        execute_study(plan, location, searcher=make_searcher(plan), scheduler=scheduler)
    except AutomlError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
