"""One summary of a study in which nothing worked: the root cause, not a list of symptoms."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from automl.shown_command import shown_command
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
    """Return why no trial has a usable value: the most frequent cause, the log's last lines, and where to read on."""
    if not trials:
        return f"no trial was started; see {StudyPaths(root).events_file}"
    found = [_cause(trial, constraints) for trial in trials]
    (cause, count), *others = Counter(found).most_common(4)
    how_many = f"all {len(trials)} trials ended without a usable value; {count} of them: {cause}"
    alone = f"the one trial ended without a usable value: {cause}"
    lines = [
        alone if len(trials) == 1 else how_many,
        *(f"and {other} more: {words}" for words, other in others),
        *_last_lines(trials[found.index(cause)], root),
    ]
    if all(trial.state is TrialState.DIVERGED for trial in trials):
        lines.append("every trial diverged: lower the learning rates with --search, or check the data")
    return "\n".join(lines)


def summarize_errors(cause: str, last: TrialResult, root: Path) -> str:
    """Return why a study was ended by errors: the cause, a log's last lines, and where to read on."""
    lines = [f"the study was ended: {cause}", *_last_lines(last, root)]
    return "\n".join(lines) + f", then go on with {shown_command('resume', root)}"


def _last_lines(trial: TrialResult, root: Path) -> list[str]:
    """Return the end of a trial's log, if there is one, and where to read it."""
    tail = [f"  {line}" for line in trial.log_tail[-_SHOWN_LINES:]]
    shown = ["", f"the last lines of trial {trial.number}", *tail] if tail else []
    return [*shown, "", f"read {AttemptPaths(root / trial.directory).log_file}"]


def _cause(trial: TrialResult, constraints: Sequence[Constraint]) -> str:
    missed = [constraint for constraint in constraints if unmet([constraint], trial.values)]
    unknown = [str(constraint) for constraint in missed if constraint.violation(trial.values) is None]
    if trial.state.has_value and trial.values and unknown:
        return f"what the constraint {' and '.join(unknown)} limits was not measured: {trial.reason}"
    if trial.state.has_value and trial.values and missed:
        return f"the constraint {' and '.join(map(str, missed))} is not kept"
    kind = trial.failure.value if trial.failure else trial.state.value.lower()
    return f"{kind}: {trial.reason}" if trial.reason else kind
