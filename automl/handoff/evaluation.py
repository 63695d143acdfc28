"""Evaluate by the skill's own action: the starting checkpoint before the first trial, the best one after the study.

Each on the validation data, and on the test data where the user gives some. `evaluations.json` has the results: role
-> status, value, and the differences from references. A failure is a result, and is not raised.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import AutomlError
from automl.handoff.action_spec import has_test_data
from automl.handoff.actions import ActionResult, action_launcher, options_here, run_action
from automl.handoff.best import read_best
from automl.readers.names import find_metric
from automl.spec.model import Spec
from automl.spec.special import PRETRAINED_KINDS, word_kind
from automl.storage.documents import to_json
from automl.storage.event_log import read_log
from automl.storage.own_documents import read_own, write_own
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_evaluations, read_study
from automl.storage.trainer_files import sha256_of
from automl.study.evaluation import ActionStatus, Delta, Evaluation
from automl.study.events import ActionEnded, Evaluated

if TYPE_CHECKING:
    from automl.handoff.action_spec import ActionOptions
    from automl.launch.base import Launcher
    from automl.skill.model import Skill
    from automl.storage.event_log import EventLog

ACTION = "evaluate"
TEST = "test"
BASELINE, CHAMPION = "baseline", "champion"
"""Roles; on the test data they are called ``baseline_test`` and ``champion_test``."""

_BASELINE_LIMIT_S = 3600.0
_SHORTEST_LIMIT_S = 120.0
_TOLERANCE = 1e-3
"""Relative difference up to which a value counts as the same: other batch sizes and devices add in another order."""


def local_evaluator(root: Path, skill: Skill, test: str | None, session: str | None = None) -> Evaluator:
    """Return an evaluator on this machine; close its launcher when the study is over.

    ``session`` names the preloaded trainer that the trials share; it saves the evaluation its cold start.
    """
    launcher = action_launcher(root, action=ACTION, session=session)
    return Evaluator(root=root, skill=skill, launcher=launcher, options=options_here(), test=test)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """Evaluates checkpoints of the study in the directory ``root``; ``test`` are test data, if the user gives some."""

    root: Path
    skill: Skill
    launcher: Launcher
    options: ActionOptions
    test: str | None = None

    def baseline(self) -> None:
        """Evaluate the checkpoint that the training starts from, where there is one."""
        plan, _ = read_study(self.root)
        checkpoint, reason = starting_checkpoint(self.skill, Spec(values=plan.spec))
        if ACTION not in self.skill.actions:
            checkpoint, reason = None, f"the {self.skill.noun} {self.skill.name} has no action {ACTION}"
        if checkpoint is None:
            self._write(BASELINE, self._not_run(reason))
            return
        limit_s = self.options.time_limit_s or _BASELINE_LIMIT_S
        options = replace(self.options, checkpoint=checkpoint, time_limit_s=limit_s)
        self._measure(BASELINE, options, sha256_of(checkpoint, is_made=False))

    def best(self) -> None:
        """Evaluate the best checkpoint; on the validation data of the study its value has to be reproduced.

        It may take as long as the longest trial.

        Raises:
            ConfigurationError: the study has no best checkpoint.
        """
        best = read_best(self.root)
        _, result = read_study(self.root)
        longest_s = max(_SHORTEST_LIMIT_S, *(trial.elapsed_s for trial in result.trials))
        options = replace(self.options, time_limit_s=self.options.time_limit_s or longest_s)
        self._measure(CHAMPION, options, best.sha256, in_study=best.value)

    def record(self, log: EventLog) -> None:
        """Append what was evaluated to the event log, the baseline too, as far as it is not there already."""
        paths = StudyPaths(self.root)
        known = [entry.event for entry in read_log(paths.events_file)]
        keys = {event.key for event in known if isinstance(event, ActionEnded)}
        evaluations = read_evaluations(self.root)
        for evaluation in evaluations.values():
            if evaluation.action and evaluation.action not in keys:
                result = read_own(paths, paths.action(evaluation.action).result_file, ActionResult)
                log.append(ActionEnded(key=evaluation.action, result=to_json(result)))
        if Evaluated(evaluations=evaluations) not in known:
            log.append(Evaluated(evaluations=evaluations))

    def _measure(self, role: str, options: ActionOptions, sha256: str | None, *, in_study: float | None = None) -> None:
        earlier = read_evaluations(self.root)
        for name, test in ((role, None), *([(f"{role}_{TEST}", self.test)] if self.test else [])):
            known = earlier.get(name)
            if known and known.status is ActionStatus.MEASURED and known.sha256 == sha256:
                continue  # a study that continues with the same checkpoint
            found = self._run(options if test is None else replace(options, data={TEST: test}))
            found = replace(found, data=test or found.data, sha256=sha256)
            baseline = earlier.get(name.replace(CHAMPION, BASELINE)) if role == CHAMPION else None
            reference = in_study if found.data == "validation" else None
            self._write(name, _compared(found, reference, baseline.value if baseline else None))

    def _run(self, options: ActionOptions) -> Evaluation:
        try:
            result = run_action(self.root, ACTION, self.launcher, options)
        except (AutomlError, OSError, ValueError) as error:
            return self._not_run(" ".join(str(error).split()), ActionStatus.FAILED)
        found = self._not_run(result.reason, result.status)
        value = find_metric(result.values, found.metric)
        if value is None and result.status in {ActionStatus.MEASURED, ActionStatus.DONE}:
            reason = f"the evaluation does not report {found.metric}"
            found = replace(found, status=ActionStatus.UNAVAILABLE, reason=reason)
        # What was not started has no directory, and no run in the record.
        key, elapsed_s = result.key if result.directory else None, round(result.elapsed_s, 3)
        return replace(found, value=value, checkpoint=result.checkpoint, action=key, elapsed_s=elapsed_s)

    def _not_run(self, reason: str, status: ActionStatus = ActionStatus.UNAVAILABLE) -> Evaluation:
        plan, result = read_study(self.root)
        return Evaluation(
            status=status,
            reason=reason,
            metric=result.objective.metric,
            direction=result.objective.direction,
            # A spec that names test data of its own is evaluated on them.
            data="test data of the spec" if has_test_data(Spec(values=plan.spec)) else "validation",
        )

    def _write(self, role: str, found: Evaluation) -> None:
        evaluations = {**read_evaluations(self.root), role: found}
        paths = StudyPaths(self.root)
        write_own(paths, paths.evaluations_file, evaluations, dict[str, Evaluation])


def _compared(found: Evaluation, in_study: float | None, baseline: float | None) -> Evaluation:
    """Return an evaluation with its differences from the trial's own value and from the baseline on the same data."""
    value, deltas, is_reproduced = found.value, dict[str, Delta](), None
    if value is None:
        return found
    for name, reference in (("trial", in_study), ("baseline", baseline)):
        if reference is not None:
            is_better = found.direction.is_better(value, reference)
            deltas[name] = Delta(reference=reference, difference=value - reference, is_better=is_better)
    if in_study is not None:
        is_reproduced = abs(value - in_study) <= _TOLERANCE * max(abs(in_study), _TOLERANCE)
    return replace(found, deltas=deltas, is_reproduced=is_reproduced)


def starting_checkpoint(skill: Skill, spec: Spec) -> tuple[Path | None, str]:
    """Find the checkpoint that the first trial starts from.

    Keys of the skill's special values for pretrained weights count, except those of a backbone alone: without its head
    a model cannot be evaluated.

    Returns:
        A whole model, and an empty text; or None, and why there is none.
    """
    special = skill.actions["train"].spec_params
    keys = [path for path, value in special.items() if word_kind(value) in PRETRAINED_KINDS]
    named = {path: str(spec.get(path)) for path in keys if spec.has(path) and spec.get(path)}
    whole = next(((path, value) for path, value in named.items() if "backbone" not in path), None)
    if whole is not None:
        path, value = whole
        is_there = Path(value).exists()
        return (Path(value).absolute(), "") if is_there else (None, f"{path} is {value}, which is not there")
    if named:
        return None, f"{next(iter(named))} holds a backbone, and no whole model"
    listed = f" ({', '.join(keys)})" if keys else ""
    return None, f"the training names no checkpoint to start from{listed}"
