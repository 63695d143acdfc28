"""The methods that are compared. Each runs a list of trials with a number of slots and kills what reports NaN.

The peers are used as their documentation shows: the trainer is a child process, its status file is read every 0.1 s,
and a trial that reports NaN is killed.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from automl.executor.ray.session import ray_session
from automl.request.policy import Route
from automl.samplers.searcher import Searcher
from automl.schedulers.registry import make_scheduler
from automl.skill.model import ConfigFormat, FileSlot, Skill, SkillAction, SlotKind
from automl.space.search_space import SearchSpace
from automl.spec.model import Spec
from automl.study.causes import Origin, OriginKind
from automl.study.launch_plan import LauncherKind, LaunchPlan
from automl.study.model import Budget, Resources, StudyLocation, StudyPlan
from automl.study.objectives import Direction, Objective
from automl.study.trial import Proposal, TrialResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


TRAINER = Path(__file__).parent / "trainer.py"
POLL_S = 0.1


@dataclass(frozen=True)
class Task:
    """One trial: where it writes and what it does."""

    folder: Path
    behaviour: str

    @property
    def command(self) -> list[str]:
        """The trainer's command line, the same for every method."""
        return [sys.executable, "-S", "-E", str(TRAINER), str(self.folder), self.behaviour]


def run_child(task: Task) -> float:
    """Run a trial as a child process and kill it when it reports NaN; return its loss."""
    process = subprocess.Popen(task.command, stdout=subprocess.DEVNULL)
    status = task.folder / "status.json"
    while process.poll() is None:
        if status.exists() and (text := status.read_text(encoding="utf-8")).endswith("\n"):
            loss = float(json.loads(text)["kpi"]["train_loss"])
            if not math.isfinite(loss):
                process.kill()
                process.wait()
                return loss
        time.sleep(POLL_S)
    return 1.0


def run_optuna(tasks: Sequence[Task], jobs: int) -> None:
    """Optuna with threads, each of which runs a child process."""
    import optuna  # noqa: PLC0415 - a peer

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        storage = optuna.storages.JournalStorage(
            optuna.storages.journal.JournalFileBackend(str(Path(folder) / "journal"))
        )
        study = optuna.create_study(storage=storage, direction="minimize")

        def objective(trial: optuna.Trial) -> float:
            trial.suggest_float("lr", 0.0, 1.0)
            return run_child(tasks[trial.number])

        study.optimize(objective, n_trials=len(tasks), n_jobs=jobs)


def run_ray_function(tasks: Sequence[Task], jobs: int) -> None:
    """Ray Tune with a function trainable: a new worker per trial."""

    def train(config: dict[str, Any]) -> None:
        from ray import tune as worker_tune  # noqa: PLC0415 - in the worker

        worker_tune.report({"loss": run_child(config["task"]), "done": True})

    _run_ray(train, tasks, jobs, reuse=False)


def run_ray_class(tasks: Sequence[Task], jobs: int) -> None:
    """Ray Tune with a class trainable and reused actors."""
    from ray import tune  # noqa: PLC0415 - a peer

    class Trainer(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            self.task = config["task"]

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.task = new_config["task"]
            return True

        def step(self) -> dict[str, Any]:
            return {"loss": run_child(self.task), "done": True}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            pass

    _run_ray(Trainer, tasks, jobs, reuse=True)


def _run_ray(trainable: Any, tasks: Sequence[Task], jobs: int, *, reuse: bool) -> None:  # noqa: ANN401 - Ray has no types
    resources = Resources(jobs=jobs, cpus_per_trial=1.0)
    with ray_session(resources, None) as folder:
        from ray import tune  # noqa: PLC0415 - a peer

        tune.Tuner(
            tune.with_resources(trainable, {"cpu": 1}),
            param_space={"task": tune.grid_search(list(tasks))},
            tune_config=tune.TuneConfig(max_concurrent_trials=jobs, reuse_actors=reuse),
            run_config=tune.RunConfig(storage_path=str(folder / "tune"), verbose=0),
        ).fit()


class ListSearcher(Searcher):
    """Proposes the tasks in their order."""

    def __init__(self) -> None:
        self._asked = 0

    def is_ready(self) -> bool:
        """Tell that it always is."""
        return True

    def prepare(self) -> None:
        """Prepare nothing."""

    def growth(self) -> None:
        """Let no range grow."""

    def ask(self) -> Proposal | None:
        """Return the next task's number."""
        self._asked += 1
        return Proposal(number=self._asked - 1, assignment={"task": self._asked - 1}, origin=Origin(OriginKind.GIVEN))

    def proposed(self, proposal: Proposal) -> None:
        """Observe nothing."""

    def observe(self, number: int, epoch: int, value: float) -> None:
        """Observe nothing."""

    def tell(self, result: TrialResult) -> None:
        """Observe nothing."""


def run_ours(tasks: Sequence[Task], jobs: int) -> None:
    """`execute_study` with the local launcher; the tasks' folders are the trials'."""
    from automl.executor.ray.study import execute_study  # noqa: PLC0415 - opens Ray

    study = tasks[0].folder.parent.parent
    behaviours = study / "behaviours.json"
    behaviours.write_text(json.dumps([task.behaviour for task in tasks]), encoding="utf-8")
    command = f"{sys.executable} -S -E {TRAINER} {{config_path}} {behaviours}"
    execute_study(
        our_plan(command, study, len(tasks), jobs),
        StudyLocation(directory=study, tracking_uri=""),
        searcher=ListSearcher(),
        scheduler=make_scheduler("none", max_epochs=1, trials=len(tasks)),
    )


def our_plan(command: str, root: Path, trials: int, jobs: int) -> StudyPlan:
    """Return a plan without a space: the searcher says what runs."""
    action = SkillAction(
        name="train",
        command=command,
        config_format=ConfigFormat.JSON,
        outputs=(FileSlot(key="results_dir", kind=SlotKind.FOLDER),),
    )
    skill = Skill(
        name="bench",
        root=root,
        network_arch="bench",
        automl_enabled=True,
        actions={"train": action},
        templates={},
        schemas={},
    )
    return StudyPlan(
        name="bench",
        route=Route.TUNE,
        launch=LaunchPlan(launcher=LauncherKind.LOCAL),
        reasons=(),
        skill=skill,
        action="train",
        spec=Spec(values={}),
        space=SearchSpace(parameters=(), fixed=MappingProxyType({})),
        objectives=(Objective(metric="accuracy", direction=Direction.MAXIMIZE),),
        budget=Budget(trials=trials),
        resources=Resources(jobs=jobs, cpus_per_trial=1.0),
        sampler="list",
        scheduler="none",
        seed=0,
        max_epochs=1,
        first_trials=(),
    )


def run_syne_tune(tasks: Sequence[Task], jobs: int) -> None:
    """Syne Tune's local back-end, by the interpreter that SYNE_TUNE_PYTHON names; it is not installed beside ours."""
    root = tasks[0].folder.parent.parent
    documents = [{"folder": str(task.folder), "behaviour": task.behaviour} for task in tasks]
    (root / "tasks.json").write_text(json.dumps(documents), encoding="utf-8")
    peer = Path(__file__).parent / "syne_tune_peer.py"
    command = [os.environ["SYNE_TUNE_PYTHON"], str(peer), str(TRAINER), str(root / "tasks.json"), str(jobs)]
    environment = {**os.environ, "SYNETUNE_FOLDER": str(root / "syne-tune")}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, cwd=root)


METHODS: dict[str, Callable[[Sequence[Task], int], None]] = {
    "automl (local launcher)": run_ours,
    "Ray Tune, class trainable, reused actors": run_ray_class,
    "Ray Tune, function trainable": run_ray_function,
    "Optuna threads + child processes": run_optuna,
}
if "SYNE_TUNE_PYTHON" in os.environ:
    METHODS["Syne Tune, local back-end"] = run_syne_tune
