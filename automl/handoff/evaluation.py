"""Evaluate by the skill's own action: the starting checkpoint before the first trial, the best one after the study.

Each on the validation data, and on the test data where the user gives some. What came out is written to
`evaluations.json`: role -> status, value, and the differences that say better or worse. Nothing here loses a study.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl.errors import AutomlError
from automl.handoff.action_spec import options_here
from automl.handoff.actions import ActionStatus, action_launcher, run_action
from automl.handoff.champion import read_champion
from automl.handoff.inherit import has_test_data
from automl.handoff.starting_point import starting_point
from automl.readers.names import find_metric
from automl.spec.model import Spec
from automl.storage.documents import write_document
from automl.storage.paths import StudyPaths
from automl.storage.study_directory import read_evaluations, read_study
from automl.trial.checkpoints import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    from automl.handoff.action_spec import ActionOptions
    from automl.launch.base import Launcher
    from automl.skill.model import Skill
    from automl.tracking.mlflow.tracker import MlflowTracker

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

    Args:
        root: The study directory, with its plan.
        skill: The skill.
        test: Test data, if the user gives some.
        session: Name of the preloaded trainer that the trials share; it saves the evaluation its cold start.
    """
    launcher = action_launcher(root, action=ACTION, session=session)
    return Evaluator(root=root, skill=skill, launcher=launcher, options=options_here(), test=test)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """Evaluates checkpoints of one study.

    Attributes:
        root: The study directory, with its plan.
        skill: The skill.
        launcher: Starts the action.
        options: Devices and limits.
        test: Test data, if the user gives some.
    """

    root: Path
    skill: Skill
    launcher: Launcher
    options: ActionOptions
    test: str | None = None

    def baseline(self) -> None:
        """Evaluate the checkpoint that the training starts from, where there is one."""
        plan, _ = read_study(self.root)
        start = starting_point(self.skill, Spec(values=plan["spec"]))
        if ACTION not in self.skill.actions or start.checkpoint is None:
            missing = f"the skill {self.skill.name} has no action {ACTION}"
            self._write(BASELINE, self._not_run(start.reason if ACTION in self.skill.actions else missing))
            return
        limit_s = self.options.time_limit_s or _BASELINE_LIMIT_S
        options = dataclasses.replace(self.options, checkpoint=start.checkpoint, time_limit_s=limit_s)
        self._measure(BASELINE, options, sha256_of(start.checkpoint))

    def champion(self) -> None:
        """Evaluate the champion; on the validation data of the study its value must come out again.

        It may take as long as the longest trial.

        Raises:
            ConfigurationError: the study has no champion.
        """
        champion = read_champion(self.root)
        _, result = read_study(self.root)
        longest_s = max(_SHORTEST_LIMIT_S, *(trial.elapsed_s for trial in result.trials))
        options = dataclasses.replace(self.options, time_limit_s=self.options.time_limit_s or longest_s)
        self._measure(CHAMPION, options, champion.sha256, in_study=champion.value)

    def record(self, tracker: MlflowTracker) -> None:
        """Tell MLflow what was evaluated, the baseline too: a run for each, and the values at the study's run."""
        evaluations = read_evaluations(self.root)
        for evaluation in evaluations.values():
            if evaluation["action"]:
                file = StudyPaths(self.root).action(evaluation["action"]).result_file
                tracker.action_ended(evaluation["action"], json.loads(file.read_text(encoding="utf-8")))
        tracker.evaluated(evaluations)

    def _measure(self, role: str, options: ActionOptions, sha256: str | None, *, in_study: float | None = None) -> None:
        earlier = read_evaluations(self.root)
        for name, test in ((role, None), *([(f"{role}_{TEST}", self.test)] if self.test else [])):
            known = earlier.get(name)
            if known and known["status"] == ActionStatus.MEASURED and known["sha256"] == sha256:
                continue  # a study that goes on with the same checkpoint
            chosen = options if test is None else dataclasses.replace(options, data={TEST: test})
            document = self._run(chosen)
            document |= {"data": test or document["data"], "sha256": sha256}
            reference = in_study if document["data"] == "validation" else None
            self._write(name, document | _deltas(document, reference, read_evaluations(self.root), name))

    def _run(self, options: ActionOptions) -> dict[str, Any]:
        try:
            result = run_action(self.root, ACTION, self.launcher, options)
        except (AutomlError, OSError, ValueError) as error:
            return self._not_run(" ".join(str(error).split()), ActionStatus.FAILED)
        document = self._not_run(result.reason, result.status)
        value = find_metric(result.values, document["metric"])
        if value is None and result.status in {ActionStatus.MEASURED, ActionStatus.DONE}:
            document |= {
                "status": ActionStatus.UNAVAILABLE,
                "reason": f"the evaluation does not report {document['metric']}",
            }
        # What was not started has no directory, and no run in the record.
        key = result.key if result.directory else None
        taken = {"checkpoint": result.checkpoint, "action": key, "elapsed_s": round(result.elapsed_s, 3)}
        return document | taken | {"value": value}

    def _not_run(self, reason: str, status: ActionStatus = ActionStatus.UNAVAILABLE) -> dict[str, Any]:
        plan, _ = read_study(self.root)
        return {
            "status": status,
            "reason": reason,
            "metric": plan["objective"]["metric"],
            "direction": plan["objective"]["direction"],
            # A spec that names test data of its own is evaluated on them.
            "data": "test data of the spec" if has_test_data(Spec(values=plan["spec"])) else "validation",
            "value": None,
            "checkpoint": None,
            "sha256": None,
            "action": None,
            "elapsed_s": 0.0,
        }

    def _write(self, role: str, document: dict[str, Any]) -> None:
        write_document(StudyPaths(self.root).evaluations_file, {**read_evaluations(self.root), role: document})


def _deltas(document: dict[str, Any], in_study: float | None, others: dict[str, Any], role: str) -> dict[str, Any]:
    """Return the differences from the trial's own value and from the baseline on the same data."""
    value = document["value"]
    baseline = others.get(role.replace(CHAMPION, BASELINE), {}).get("value") if role.startswith(CHAMPION) else None
    references = {"trial": in_study, "baseline": baseline}
    deltas = {
        name: {"reference": reference, "difference": value - reference, "is_better": _is_better(document, reference)}
        for name, reference in references.items()
        if reference is not None and value is not None
    }
    reproduced = None if in_study is None or value is None else _agrees(value - in_study, in_study)
    return {"deltas": deltas, "is_reproduced": reproduced}


def _is_better(document: dict[str, Any], reference: float) -> bool:
    return bool(document["value"] > reference if document["direction"] == "maximize" else document["value"] < reference)


def _agrees(difference: float, reference: float) -> bool:
    return abs(difference) <= _TOLERANCE * max(abs(reference), _TOLERANCE)
