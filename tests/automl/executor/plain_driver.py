"""A process that runs a toy study in threads, without Ray, to be killed by tests at any instant.

Arguments: folder, sampler, stopping rule, slots, trials; further ones limit the size of files, in bytes. With
KEEPS_ONE in the environment the trainer keeps the checkpoint of its last epoch alone.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[3]))

from automl.errors import AutomlError, LaunchError
from automl.executor.loop import StudyLoop
from automl.executor.recording import recorded
from automl.launch.local import LocalLauncher
from automl.launch.processes import end_leftovers
from automl.resolve import chosen_scheduler
from automl.samplers.optuna_journal import OptunaJournal
from automl.samplers.registry import make_searcher
from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from automl.storage.paths import StudyPaths
from automl.trial.runner import run_trial
from automl.trial.stop_request import read_stop_request
from automl.trial.task import study_tag
from tests.automl.executor.toy_study import toy_location, toy_plan

if TYPE_CHECKING:
    from automl.study.model import StudyPlan
    from automl.trial.task import TrialTask


def plan_of(root: Path, *, sampler: str = "random", rule: str = "none", slots: int = 1, trials: int = 6) -> StudyPlan:
    """Return a study of one parameter, of which the values of all epochs follow."""
    epoch_s, keeps_one = 0.4 if rule == "pbt" else 0.06, "KEEPS_ONE" in os.environ
    plan = toy_plan(root / "skill", trials=trials, jobs=slots, epoch_s=epoch_s, epochs=4, keeps_one=keeps_one)
    quality = Parameter(path="quality", type=ParameterType.FLOAT, low=0.0, high=1.0, default=0.3)
    space = SearchSpace(parameters=(quality,), fixed=MappingProxyType({}))
    options = MappingProxyType({"grace_epochs": 1, "eta": 2})
    return replace(
        plan,
        space=space,
        sampler=sampler,
        scheduler=rule,
        max_epochs=4,
        options=options,
        first_trials=(space.default_assignment(),),
    )


def work(loop: StudyLoop, launcher: LocalLauncher, errors: list[BaseException]) -> None:
    """Run one trial after the other in one slot."""
    try:
        while not loop.is_over and not errors:
            task = loop.next_task()
            if task is None:
                time.sleep(0.01)
            else:
                run(loop, launcher, task)
    except (AutomlError, OSError) as error:
        errors.append(error)


def run(loop: StudyLoop, launcher: LocalLauncher, task: TrialTask) -> None:
    """Run one attempt."""
    result = run_trial(
        task,
        launcher,
        report=lambda measurement: loop.measured(task.number, measurement),
        stop_requested=lambda: read_stop_request(task.directory),
    )
    loop.ended(result)


def main() -> int:
    """Run or resume the study; return the exit status of what ended it."""
    root, sampler, rule, slots, trials, *limits = sys.argv[1:]
    folder = Path(root)
    plan = plan_of(folder, sampler=sampler, rule=rule, slots=int(slots), trials=int(trials))
    location = toy_location(folder)
    end_leftovers(study_tag(plan, location.directory))
    location.directory.mkdir(parents=True, exist_ok=True)
    launcher = LocalLauncher()
    errors: list[BaseException] = []
    try:
        with recorded(location.directory):
            loop = StudyLoop(
                plan,
                location,
                searcher=make_searcher(plan),
                scheduler=chosen_scheduler(plan),
                trackers=(),
                journal=OptunaJournal(StudyPaths(location.directory).journal_file, plan),
            )
            loop.open()
        if limits:
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(limits[0]), resource.RLIM_INFINITY))
        slots_threads = [threading.Thread(target=work, args=(loop, launcher, errors)) for _ in range(int(slots))]
        for thread in slots_threads:
            thread.start()
        for thread in slots_threads:
            thread.join()
        if errors:
            raise errors[0]
        loop.close()
        if loop.end is not None and loop.end.is_cut_off:
            raise LaunchError(str(loop.end))
    except AutomlError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    finally:
        launcher.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
