"""Every sampler with every stopping rule on the toy trainer.

The grid walks the straight line of `automl run` with real trainings and everything but Ray and MLflow, which know
neither samplers nor rules; by default a third of it, in which every sampler and every rule occurs. The slow one is
`automl run` itself.
"""

from __future__ import annotations

import itertools
import json
import secrets
import time
from typing import TYPE_CHECKING, Any

import pytest

from automl.executor.loop import StudyLoop
from automl.launch.local import WarmLauncher
from automl.request.location import RunLocation
from automl.request.study_request import StudyRequest
from automl.resolve import chosen_scheduler
from automl.run import make_plan
from automl.samplers.registry import SAMPLERS, make_searcher
from automl.schedulers.registry import SCHEDULERS
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import write_plan
from automl.storage.study_directory import read_study
from automl.study.evaluation import RecordLocation
from automl.study.model import StudyLocation
from automl.trial.runner import run_trial
from automl.trial.stop_request import read_stop_request
from tests.acceptance.command_line import automl_in_turn
from tests.automl.executor.ray.local_cluster import local_cluster
from tests.automl.samplers.fake_endpoint import FakeEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.launch.base import Launcher
    from automl.study.ends import StopCause
    from automl.study.model import StudyPlan
    from automl.study.trial import Measurement

pytestmark = pytest.mark.acceptance

TRIALS = 3
COMBINATIONS = [
    pytest.param(sampler, rule, marks=[] if (row + column) % 3 == 0 else pytest.mark.slow)
    for (row, sampler), (column, rule) in itertools.product(enumerate(SAMPLERS), enumerate(SCHEDULERS))
]


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """Fork trials from a server that has the trainer imported, as a study does."""
    log = tmp_path_factory.mktemp("warm") / "server.log"
    warm = WarmLauncher(secrets.token_hex(16), "automl-toy-trainer", log=log)
    warm.start()
    yield warm
    warm.close()


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A language model that moves away from the template a little more with every trial."""

    def answer(prompt: dict[str, Any]) -> dict[str, Any]:
        template = {parameter["path"]: parameter["default"] for parameter in prompt["parameters"]}
        return {**template, "train.optim.lr": 0.01 + 0.002 * prompt["next_trial"]}

    with FakeEndpoint(monkeypatch) as fake:
        fake.answer = answer
        yield


def run_here(plan: StudyPlan, root: Path, launcher: Launcher) -> None:
    """Run a study one trial after the other in this process, as Ray's actors would."""
    directory = StudyPaths(root)
    root.mkdir()
    record = RecordLocation(tracking_uri="unused", experiment=plan.name)
    write_plan(directory, plan, StudyRequest(skill="toy", name=plan.name), record, directory.root.parent)
    location = StudyLocation(directory=root, tracking_uri="unused")
    loop = StudyLoop(plan, location, searcher=make_searcher(plan), scheduler=chosen_scheduler(plan), trackers=[])
    loop.open()
    while not loop.is_over:
        task = loop.next_task()
        if task is None:  # the language model thinks
            time.sleep(0.01)
            continue

        def report(measurement: Measurement, number: int = task.number) -> None:
            loop.measured(number, measurement)

        def stop_requested(folder: Path = task.directory) -> StopCause | None:
            return read_stop_request(folder)

        loop.ended(run_trial(task, launcher, report=report, stop_requested=stop_requested))
    assert loop.is_over
    loop.close()


@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize(("sampler", "rule"), COMBINATIONS)
def test_every_sampler_works_with_every_rule(sampler: str, rule: str, launcher: Launcher, tmp_path: Path) -> None:
    request = StudyRequest(skill="toy", name="grid", policy="on").with_settings(
        trials=TRIALS,
        jobs=1,
        sampler=sampler,
        scheduler=rule,
        overrides={"train.num_epochs": 2, "dataset.train_samples": 40, "dataset.val_samples": 40},
    )
    plan = make_plan(request, RunLocation(results=tmp_path))

    run_here(plan, tmp_path / "grid", launcher)

    _, result = read_study(tmp_path / "grid")
    searched = [trial for trial in result.trials if trial.replicate_of is None]
    assert len(searched) == TRIALS
    assert all(trial.state.is_final for trial in searched)
    assert result.best is not None
    assert searched[0].assignment == plan.first_trials[0]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Ray for all studies: starting it costs more than a study of the toy trainer."""
    with local_cluster(tmp_path_factory.mktemp("ray"), cpus=(2,)) as address:
        yield address


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_automl_run_works_with_every_sampler_and_every_rule(sampler: str, cluster: str, tmp_path: Path) -> None:
    arguments = [
        *("run", "--skill", "toy", "--policy", "on", "--trials", str(TRIALS), "--sampler", sampler, "--json", "--yes"),
        *("--set", "train.num_epochs=2", "--ray-address", cluster),
    ]
    done = automl_in_turn({rule: [*arguments, "--scheduler", rule] for rule in SCHEDULERS}, results=tmp_path)

    assert {rule: one.status for rule, one in done.items()} == dict.fromkeys(SCHEDULERS, 0), done
    for rule, one in done.items():
        assert len(one.document["trials"]) == TRIALS, (rule, one.err)
        assert one.document["best"] is not None, (rule, one.err)
        plan = json.loads((tmp_path / rule / "toy" / "plan.json").read_text(encoding="utf-8"))
        assert (plan["sampler"], plan["scheduler"]) == (sampler, rule)
