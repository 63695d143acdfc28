"""Studies from Python."""

from __future__ import annotations

import importlib
import math
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

import automl
from automl import run
from automl.errors import ConfigurationError, InterruptedStudyError

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=0.1)\n"


def study(folder: Path, search: str = "1e-3..1 log") -> automl.Study:
    (folder / "train.py").write_text(SCRIPT, encoding="utf-8")
    return automl.Study(
        program="python train.py --lr {lr}",
        search={"lr": search},
        objective="val_loss minimize",
        name="mine",
        folder=folder,
        budget={"trials": 7},
    )


def test_a_study_is_planned_as_a_study_file_is(tmp_path: Path) -> None:
    plan = study(tmp_path).plan()

    assert plan["budget"]["trials"] == 7
    assert study(tmp_path).plan(trials=3)["budget"]["trials"] == 3
    assert plan["first_trials"][0] == {"lr": 0.1}
    assert plan["study_dir"] == str(tmp_path / "results/mine")
    assert not (tmp_path / "results").exists()


def test_what_is_wrong_is_raised_as_the_command_line_prints_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="exchange the two ends"):
        study(tmp_path, "1..0").plan()
    with pytest.raises(ConfigurationError, match="a study that has not run"):
        study(tmp_path).best  # noqa: B018 - it raises
    with pytest.raises(ConfigurationError, match="no readable"):
        automl.load(tmp_path)


def test_a_study_that_is_interrupted_before_it_begins_can_be_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "make_directory", interrupt)
    mine = study(tmp_path)

    with pytest.raises(InterruptedStudyError, match="nothing is lost"):
        mine.run(is_shown=False)

    with pytest.raises(ConfigurationError, match="call run"):
        mine.resume(is_shown=False)


def test_a_name_that_another_process_takes_meanwhile_is_not_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_at: list[Path] = []
    make_directory = run.make_directory

    def too_late(*arguments: Any, **settings: Any) -> Any:  # noqa: ANN401 # as that of the module
        (tmp_path / "results/mine").mkdir(parents=True)
        return make_directory(*arguments, **settings)

    monkeypatch.setattr(run, "make_directory", too_late)
    monkeypatch.setattr(run, "run_in", lambda directory, *_, **__: run_at.append(directory.root))
    mine = study(tmp_path).run(is_shown=False)

    assert [mine.directory] == run_at == [tmp_path / "results/mine-2"]


@pytest.mark.parametrize("trials", [0, -1, "many", 2.5, True, 10**6 + 1, 10**400])
def test_a_number_of_trials_that_is_none_is_refused(tmp_path: Path, trials: Any) -> None:  # noqa: ANN401 # as a user may
    with pytest.raises(ConfigurationError, match="a whole number from 1 to 1,000,000"):
        study(tmp_path).plan(trials=trials)


def test_a_ready_study_has_its_own_settings() -> None:
    assert automl.Study.from_file("toy/quick").plan()["objective"]["metric"] == "val/r2"


@pytest.mark.slow
def test_what_a_function_prints_and_writes_is_not_its_result(tmp_path: Path) -> None:
    def train(lr: float = 0.01, *, bias: float, cap: float = math.inf) -> float:
        import json  # noqa: PLC0415 - runs elsewhere
        import time  # noqa: PLC0415 - as above
        from pathlib import Path  # noqa: PLC0415 - as above

        assert cap == float("inf")
        Path("status.json").write_text(json.dumps({"epoch": 5, "kpi": {"val_acc": 99}}), encoding="utf-8")
        Path("best.pt").touch()
        print("epoch 1: loss=nan val_loss=nan val_acc=nan", flush=True)  # noqa: T201 - the point
        for epoch in range(3):
            print(f"epoch {epoch + 1}: val_acc={91 + epoch}", flush=True)  # noqa: T201 - as above
            time.sleep(0.3)
        return bias + lr

    search, fixed = {"lr": "0.01..0.2"}, {"bias": 0.5}
    tuned = automl.tune(train, search, "val_acc maximize", trials=2, results=tmp_path, is_shown=False, set=fixed)

    frame = tuned.trials_dataframe()
    assert list(frame["state"]) == ["COMPLETED", "COMPLETED"]
    assert list(frame["val_acc"]) == [0.5 + lr for lr in frame["lr"]]
    assert [path.parent.name for path in tuned.directory.rglob("best.pt")] == ["work", "work"]
    assert tuned.best is not None
    assert tuned.best.checkpoint is None


@pytest.mark.slow
def test_a_function_is_tuned_with_each_trial_in_a_process_of_its_own(tmp_path: Path) -> None:
    def train(lr: float = 0.01, width: int = 4) -> None:
        import os  # noqa: PLC0415 - runs elsewhere

        from automl import report  # noqa: PLC0415 - as above

        weight = 0.0
        for epoch in range(3):
            weight += lr * 2 * (1 - weight)
            report(epoch=epoch, val_loss=(1 - weight) ** 2 + width * 1e-4, process=os.getpid())

    search = {"lr": "1e-3..1 log", "width": "2..16"}
    for library in ("ray", "sklearn"):  # these set variables when they are imported
        importlib.import_module(library)
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}, dict(os.environ)
    tuned = automl.tune(
        train, search, "minimize val_loss", trials=4, results=tmp_path, is_shown=False, resources={"gpus_per_trial": 0}
    )
    assert ({number: signal.getsignal(number) for number in signal.valid_signals()}, dict(os.environ)) == before
    again = automl.load(tuned.directory)

    best = again.best
    assert best is not None
    frame, curves = again.trials_dataframe(), again.curves()
    assert dict(frame.iloc[0][["lr", "width"]]) == {"lr": 0.01, "width": 4}
    assert best.value == frame["val_loss"].min()
    assert list(curves[curves.trial == 0].epoch) == [0, 1, 2]
    assert again.report().is_file()


def test_a_value_that_is_not_finite_is_named_as_an_argument_of_the_call(tmp_path: Path) -> None:
    def train(lr: float, bound: float) -> float:
        return lr + bound

    with pytest.raises(ConfigurationError) as caught:
        automl.tune(train, {"lr": (0.1, 0.2)}, "v maximize", results=tmp_path, set={"bound": math.inf})

    (problem,) = caught.value.problems
    assert (problem.where, problem.found) == ('set["bound"]', "inf")
    assert problem.fix == "set a number with set={'bound': ...}, or null for none"


@pytest.mark.parametrize("objective", [["acc maximize", "cost minimize"], 5, None])
def test_an_objective_that_is_no_text_is_refused(tmp_path: Path, objective: Any) -> None:  # noqa: ANN401 # as a user may
    with pytest.raises(ConfigurationError, match="a metric and maximize or minimize"):
        automl.tune(float, {"x": "0..1"}, objective, results=tmp_path)
