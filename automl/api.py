"""Studies from Python: `Study`, `load` and `tune` do what the commands do, and raise what these print.

```python
study = automl.Study(
    program="python train.py --lr {lr}", search={"lr": "1e-5..1e-1 log"}, objective="val_acc maximize"
)
study.run(trials=20)
study.best
```
"""

from __future__ import annotations

import contextlib
import functools
import html
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from automl.errors import ConfigurationError, InterruptedStudyError, Problem, counted
from automl.function_file import load_apart, require_no_loading, write_function
from automl.function_program import (
    arguments_of,
    can_continue,
    defaults_of,
    function_command,
    function_name,
    function_problems,
    unused_defaults,
)
from automl.python_call import at_arguments, document_of
from automl.regular_file import followed
from automl.request.counts import MOST, is_count
from automl.request.location import RunLocation
from automl.request.study_request import load_study_request, read_objective, request_of_document
from automl.storage.study_directory import read_study

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import pandas as pd

    from automl.request.study_request import StudyRequest
    from automl.space.values import Scalar
    from automl.study.result import StudyResult
    from automl.tracking.base import Tracker

Values: TypeAlias = "str | tuple[float, float] | list[Any] | Mapping[str, object]"
"""A range: two numbers, ``(1e-5, 0.1)``, or text, ``1e-5..1e-1 log``; a list of options; or a mapping with ``range`` or
``options``, ``scale``, ``elastic`` and ``when``, as in a study file."""
_SHOWN_TRIALS = 10
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best trial of a study.

    Attributes:
        trial: Its number.
        value: The objective at its best epoch.
        values: Every metric at that epoch.
        parameters: What was searched: name -> value.
        epoch: Zero-based; None where the program names none.
        checkpoint: File or folder of that epoch; None where it left none.
        directory: The folder of the trial.
    """

    trial: int
    value: float
    values: Mapping[str, float]
    parameters: Mapping[str, Scalar]
    epoch: int | None
    checkpoint: Path | None
    directory: Path


class Study:
    """A search: planned, running or ended.

    Args:
        program: The command of the training program, as in a study file: ``python train.py --lr {lr}``.
        search: Parameter -> its values: ``(1e-5, 0.1)``, ``"1e-5..1e-1 log"``, ``["adam", "sgd"]``; see `Values`.
        objective: Metric and direction: ``val_acc maximize``.
        report: What the program leaves: ``checkpoint``, ``resume``, ``metrics``, ``first_epoch``.
        name: Of the study; that of the folder by default.
        folder: Where the program runs.
        results: The results folder, relative to the folder.
        settings: Further keys of a study file: ``budget``, ``resources``, ``set``, ``seed``, ``sampler``, ...

    Raises:
        ConfigurationError: something in it cannot be used; with every problem.
    """

    def __init__(
        self,
        *,
        program: str,
        search: Mapping[str, Values],
        objective: str,
        report: Mapping[str, object] | None = None,
        name: str = "",
        folder: str | Path = ".",
        results: str | Path = "results",
        **settings: Any,  # noqa: ANN401 - keys of a study file
    ) -> None:
        here = followed(Path(folder).expanduser())
        given = {"report": report, "name": name}
        settings |= {
            "program": program,
            "objective": objective,
            **{key: value for key, value in given.items() if value},
        }
        document = document_of(search, settings)
        self._results = here / Path(results).expanduser()
        self._at_arguments: Callable[[], AbstractContextManager[None]]
        self._at_arguments = functools.partial(at_arguments, here / "study", document)
        with self._at_arguments():
            self._request: StudyRequest | None = request_of_document(here / "study", document)
        self._directory: Path | None = None

    @classmethod
    def from_file(cls, file: str | Path, *, results: str | Path = "results") -> Study:
        """Return the study of a study file, or a ready one by its name: ``toy/quick``."""
        return cls._of(load_study_request(str(file)), Path(results).expanduser().absolute(), None)

    @classmethod
    def _of(cls, request: StudyRequest | None, results: Path, directory: Path | None) -> Study:
        study = cls.__new__(cls)
        study._request, study._results, study._directory = request, results, directory
        study._at_arguments = contextlib.nullcontext
        return study

    @property
    def directory(self) -> Path:
        """The study directory.

        Raises:
            ConfigurationError: it has not run yet.
        """
        if self._directory is None:
            fix = "call run() first, or automl.load(path) for an earlier study"
            raise _unusable("study", "a study that has not run", "one that has", fix)
        return self._directory

    def plan(self, *, trials: int | None = None) -> dict[str, Any]:
        """Return what `run` would do, down to the first trials, as `automl plan --json` prints it; nothing runs."""
        from automl.review import review_plan  # noqa: PLC0415 - optuna and scipy
        from automl.run import make_plan  # noqa: PLC0415 - as above

        request, place = self._asked(trials), self._place()
        with self._at_arguments():
            return review_plan(request, make_plan(request, place), place)

    def run(self, trials: int | None = None, *, is_shown: bool = True) -> Study:
        """Run the search to its end, in a new study directory; an interrupt of the kernel ends it like Ctrl-C.

        Args:
            trials: How many, in place of the budget of the study.
            is_shown: Print a line for each trial.

        Raises:
            AutomlError: what `automl run` would print; the directory is kept.
        """
        require_no_loading()
        with _interruptible():
            trackers = _progress(is_shown=is_shown)
            from automl.run import alone, make_directory, make_plan, run_in  # noqa: PLC0415 - ray, optuna, mlflow

            request, place = self._asked(trials), self._place()
            with alone(), self._at_arguments():
                plan = make_plan(request, place)
                directory = make_directory(request, plan, place)
                self._directory = directory.root
                run_in(directory, request, plan, place, extra_trackers=trackers)
        return self

    def resume(self, trials: int | None = None, *, is_shown: bool = True, accepts_changed_code: bool = False) -> Study:
        """Continue a study that was interrupted; with ``trials`` it gets a new number of them.

        With ``accepts_changed_code`` it goes on though files of the program or function have changed, and says so.
        """
        with _interruptible():
            directory, trackers = self.directory, _progress(is_shown=is_shown)
            from automl.resume import resume_study  # noqa: PLC0415 - ray, optuna, mlflow

            trials = None if trials is None else _counted(trials)
            resume_study(directory, trials=trials, extra_trackers=trackers, accepts_changed_code=accepts_changed_code)
        return self

    def trials_dataframe(self) -> pd.DataFrame:
        """Return a row for each trial: number, state, objective, epoch, seconds, and the parameters by name."""
        import pandas as pd  # noqa: PLC0415 - half a second

        result = self._result()
        metric = result.objective.metric
        rows = [
            {
                "trial": trial.number,
                "state": trial.state.value,
                metric: trial.values.get(metric),
                "epoch": trial.best_epoch,
                "seconds": round(trial.elapsed_s, 3),
                **trial.assignment,
            }
            for trial in result.trials
        ]
        return pd.DataFrame(rows or None, columns=None if rows else ["trial", "state", metric, "epoch", "seconds"])

    def curves(self) -> pd.DataFrame:
        """Return a row for each epoch of each trial: trial, epoch (from 0), and the objective."""
        import pandas as pd  # noqa: PLC0415 - half a second

        result = self._result()
        points = [(trial.number, epoch, value) for trial in result.trials for epoch, value in trial.curve]
        return pd.DataFrame(points, columns=["trial", "epoch", result.objective.metric])

    @property
    def best(self) -> Best | None:
        """The best trial; None where none has a usable value."""
        result, root = self._result(), self.directory
        trial = result.best
        if trial is None:
            return None
        return Best(
            trial=trial.number,
            value=trial.values[result.objective.metric],
            values=trial.values,
            parameters=trial.assignment,
            epoch=trial.best_epoch,
            checkpoint=None if trial.checkpoint is None else root / trial.checkpoint,
            directory=root / trial.directory,
        )

    def report(self, output: str | Path | None = None) -> Path:
        """Write the HTML page about the study and return its path."""
        from automl.html_report.page import write_report  # noqa: PLC0415 - plotly

        return write_report(self.directory, output=None if output is None else Path(output).absolute())

    def __repr__(self) -> str:
        if self._directory is None:
            return f"Study({self._request.name if self._request else ''}, not run yet)"
        return f"Study({self._directory})"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: where the study is, its best trial, and the first trials by their values."""
        if self._directory is None:
            return f"<p>{html.escape(repr(self))}</p>"
        result, best = self._result(), self.best
        metric, trials = result.objective.metric, self.trials_dataframe()
        leader = "no usable value yet" if best is None else f"best trial {best.trial}, {metric} {best.value:.4g}"
        first = [trial.number for trial in result.ranked()][:_SHOWN_TRIALS]
        shown = trials.set_index("trial").loc[first].reset_index() if first else trials.head(_SHOWN_TRIALS)
        heading = html.escape(f"{self._directory}: {counted(len(trials), 'trial')}, {leader}")
        return f"<p>{heading}</p>{shown.to_html(index=False, na_rep='', float_format='{:.4g}'.format)}"

    def _result(self) -> StudyResult:
        return read_study(self.directory)[1]

    def _asked(self, trials: int | None) -> StudyRequest:
        if self._request is None:
            fix = "use resume(), or make a Study with a program"
            raise _unusable("study", f"{self._directory}, which has run", "a study that can be planned", fix)
        return self._request if trials is None else self._request.with_settings(trials=_counted(trials))

    def _place(self) -> RunLocation:
        return RunLocation(results=self._results, tracking_uri=os.environ.get("MLFLOW_TRACKING_URI"))


def load(path: str | Path) -> Study:
    """Return a study that has run: its directory in the results folder.

    Raises:
        ConfigurationError: the folder is no study directory.
    """
    root = Path(path).expanduser().absolute()
    read_study(root)
    return Study._of(None, root.parent, root)


def tune(
    function: Callable[..., object],
    search: Mapping[str, Values],
    objective: str,
    *,
    trials: int = 20,
    name: str = "",
    results: str | Path = "results",
    is_shown: bool = True,
    **settings: Any,  # noqa: ANN401 - keys of a study file
) -> Study:
    """Search the arguments of a Python function; each trial calls it in a process of its own.

    The function reports by `automl.report` while it runs, or returns a metric: a number, which is the objective, or a
    mapping of metrics. Of a metric that it has reported, what it returns adds nothing; nothing else that it or a
    library prints or writes is read. Where it has an argument ``checkpoint``, it may continue: a trial that was cut off
    is given the last checkpoint that it has reported; before, the argument has its default, and None without one.

    Functions and classes of a notebook or script travel with it; modules are found as the caller finds them. Where some
    are not installed, it is loaded once in a new process, and not called, before the study starts. After an interrupt,
    ``automl.load("results/train").resume()`` continues the study.

    Args:
        function: Its defaults are trial 0.
        search: Argument -> its values: ``(1e-5, 0.1)``, ``"1e-5..1e-1 log"``, ``["adam", "sgd"]``; see `Values`.
        objective: Metric and direction: ``val_acc maximize``.
        trials: How many.
        name: Of the study; that of the function by default.
        results: The results folder.
        is_shown: Print a line for each trial.
        settings: Further keys of a study file.

    Raises:
        ConfigurationError: an argument has no value, or is none of the function's; or no other process can have the
            function.
        AutomlError: what `automl run` would print.
    """
    asked: object = search
    if not isinstance(asked, Mapping) or not asked:
        found = f"{asked!r:.80}" if asked else "nothing to search"
        expected, fix = "a mapping of arguments to their values", 'write e.g. {"lr": (1e-5, 0.1)}'
        raise _unusable("search", found, expected, fix)
    if foreign := sorted({"program", "report", "folder"} & {*settings}):
        fix = "leave it out; a function reports by automl.report and what it returns, and runs where tune is called"
        raise _unusable(foreign[0], f"{settings[foreign[0]]!r:.80}", "nothing: that belongs to a program", fix)
    require_no_loading()
    folder, own_name = Path(results).expanduser().absolute(), function_name(function)
    metric = _metric_of(objective)
    given = [*search, *(settings.get("set") or {})]
    if problems := function_problems(function, given):
        raise ConfigurationError.from_problems(problems, subject="the call")
    study = Study(
        program=function_command(),
        search=search,
        objective=objective,
        report={"resume": "--checkpoint {checkpoint}", "first_epoch": 0} if can_continue(function) else None,
        name=name or own_name,
        results=folder,
        **settings,
    )
    for sentence in unused_defaults(function, search):
        logger.warning("%s: %s", own_name, sentence)
    file, request = write_function(function, own_name, metric, folder), study._asked(None)
    with _interruptible(), load_apart(file) as own_files:
        _import_early()
        sources = own_files()
    own = {  # no keys of a study file
        "name": own_name,
        "arguments": arguments_of(function, given),
        "defaults": defaults_of(function, search),
        "file": str(file.path),
        "sources": sources,
    }
    study._request = request.with_settings(program={**(request.program or {}), **own})
    return study.run(trials, is_shown=is_shown)


def _counted(trials: object) -> int:
    if not is_count(trials, "trials"):
        expected = f"a whole number from 1 to {MOST['trials']:,}"
        raise _unusable("trials", repr(trials), expected, "say how many to run")
    return trials


def _import_early() -> None:
    """Import what each study needs, while a function is loaded elsewhere."""
    import automl.executor.ray.study  # noqa: PLC0415 - ray
    import automl.run  # noqa: F401, PLC0415 - optuna, mlflow


def _metric_of(objective: str) -> str:
    expected, fix = "a metric and maximize or minimize", "write e.g. val_acc maximize"
    if not isinstance(objective, str):
        raise _unusable("objective", f"{objective!r:.80}", expected, fix)
    try:
        return read_objective(objective)["metric"]
    except ValueError as error:
        raise _unusable("objective", str(error), expected, fix) from error


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Raise an interrupt before the first trial as one of a study; later ones are `run_in`'s."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise InterruptedStudyError(InterruptedStudyError.EARLY) from error


def _progress(*, is_shown: bool) -> tuple[Tracker, ...]:
    from automl.cli.progress import ProgressTracker  # noqa: PLC0415 - rich

    return (ProgressTracker(),) if is_shown else ()


def _unusable(where: str, found: str, expected: str, fix: str) -> ConfigurationError:
    problem = Problem(where=where, found=found, expected=expected, fix=fix)
    return ConfigurationError.from_problems([problem], subject="the call")
