"""One summary of a study in which nothing worked: the root cause, not a list of symptoms."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from automl.storage.paths import AttemptPaths, StudyPaths
from automl.study.objectives import unmet
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from automl.study.objectives import Constraint
    from automl.study.trial import TrialResult

_SHOWN_LINES = 8


def summarize_failure(trials: Sequence[TrialResult], root: Path, constraints: Sequence[Constraint] = ()) -> str:
    """Return why no trial has a usable value: the most frequent cause, the log's last lines, and where to read on.

    Args:
        trials: All trials of the study.
        root: The study directory.
        constraints: What a usable trial must keep.
    """
    if not trials:
        return f"no trial was started; see {StudyPaths(root).events_file}"
    causes = Counter(_cause(trial, constraints) for trial in trials)
    cause, count = causes.most_common(1)[0]
    example = next(trial for trial in trials if _cause(trial, constraints) == cause)
    if len(trials) == 1:
        lines = [f"the one trial ended without a usable value: {cause}"]
    else:
        lines = [f"all {len(trials)} trials ended without a usable value; {count} of them: {cause}"]
    lines += [f"and {other} more: {words}" for words, other in causes.most_common()[1:4]]
    if example.log_tail:
        lines += [
            "",
            f"the last lines of trial {example.number}",
            *(f"  {t}" for t in example.log_tail[-_SHOWN_LINES:]),
        ]
    lines += ["", f"read {AttemptPaths(root / example.directory).log_file}"]
    if all(trial.state is TrialState.DIVERGED for trial in trials):
        lines.append("every trial diverged: lower the learning rates with --search, or check the data")
    return "\n".join(lines)


def summarize_errors(cause: str, last: TrialResult, root: Path) -> str:
    """Return why a study was ended by errors: the cause, the last lines of one log, and where to read on.

    Args:
        cause: In words.
        last: One of the trials that failed for it.
        root: The study directory.
    """
    lines = [f"the study was ended: {cause}"]
    if last.log_tail:
        shown = last.log_tail[-_SHOWN_LINES:]
        lines += ["", f"the last lines of trial {last.number}", *(f"  {text}" for text in shown)]
    return "\n".join(
        [*lines, "", f"read {AttemptPaths(root / last.directory).log_file}, then go on with automl resume {root}"]
    )


def _cause(trial: TrialResult, constraints: Sequence[Constraint]) -> str:
    missed = [constraint for constraint in constraints if unmet([constraint], trial.values)]
    unknown = [str(constraint) for constraint in missed if constraint.violation(trial.values) is None]
    if trial.state.has_value and trial.values and unknown:
        return f"what the constraint {' and '.join(unknown)} limits was not measured: {trial.reason}"
    if trial.state.has_value and trial.values and missed:
        return f"the constraint {' and '.join(map(str, missed))} is not kept"
    kind = trial.failure.value if trial.failure else trial.state.value.lower()
    return f"{kind}: {trial.reason}" if trial.reason else kind
