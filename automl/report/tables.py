"""The tables of a report, as HTML. Every text from outside is escaped here."""

from __future__ import annotations

import html
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from automl.duration import format_duration
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from automl.report.study_facts import StudyFacts
    from automl.study.trial import TrialResult

_MAX_ROWS = 30
_ROLES = {
    "baseline": "baseline: the starting checkpoint",
    "baseline_test": "baseline on the test data",
    "champion": "best checkpoint, evaluated again",
    "champion_test": "best checkpoint on the test data",
}


def escape(value: object) -> str:
    """Return a value as HTML text; numbers with 4 significant digits."""
    match value:
        case None:
            return "-"
        case bool():
            return str(value)
        case float():
            return f"{value:.4g}"
        case _:
            return html.escape(str(value))


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, best_row: int | None = None) -> str:
    """Return a table; cells are escaped, numbers right-aligned.

    Args:
        head: Column titles.
        rows: Cells.
        best_row: Index of the row to stress.
    """
    lines = ["<table><thead><tr>", *(f"<th>{escape(title)}</th>" for title in head), "</tr></thead><tbody>"]
    for index, row in enumerate(rows):
        stress = ' class="best"' if index == best_row else ""
        lines.append(f"<tr{stress}>" + "".join(_cell(cell) for cell in row) + "</tr>")
    return "".join([*lines, "</tbody></table>"])


def summary(facts: StudyFacts) -> str:
    """Return best, trial 0 and constant prediction side by side, with differences that say better or worse."""
    best = facts.result.best
    if best is None:
        return "<p>No trial has a usable value.</p>"
    value = best.values[facts.metric]
    rows: list[Sequence[object]] = [[f"best: trial {best.number}, epoch {best.best_epoch}", value, ""]]
    first = next((t for t in facts.competing if t.number == 0), None)
    if first is not None:
        rows.append(
            ["trial 0: the template's own values", first.values[facts.metric], _difference(facts, value, first)]
        )
    else:
        rows.append(["trial 0: the template's own values", None, _state_of_first(facts)])
    if facts.constant is not None:
        rows.append(["a constant prediction", facts.constant, _compared(facts, value, facts.constant)])
    rows += [[_ROLES.get(role, role), found.value, _told(facts, role)] for role, found in facts.evaluations.items()]
    return table(["", facts.metric, "the best trial is"], rows, best_row=0)


def leaderboard(facts: StudyFacts) -> str:
    """Return the trials, best first, with what differs; those without a value follow."""
    ranked = facts.result.ranked()
    rest = [t for t in facts.result.trials if t not in ranked]
    shown = [*ranked, *rest][:_MAX_ROWS]
    others = [objective.metric for objective in facts.result.further]
    head = [
        "trial",
        "state",
        facts.metric,
        *others,
        "best epoch",
        "epochs",
        "time",
        *(p.label for p in facts.parameters),
    ]
    rows = [
        [
            t.number,
            _state(facts, t),
            *(t.values.get(metric) if t.state.has_value else None for metric in (facts.metric, *others)),
            t.best_epoch,
            t.epochs,
            format_duration(t.elapsed_s),
            *(t.assignment.get(p.path) for p in facts.parameters),
        ]
        for t in shown
    ]
    more = len(facts.result.trials) - len(shown)
    note = f"<p class='note'>{more} more trials are not shown.</p>" if more else ""
    # With replicates the best trial is not always the one with the best value.
    best = shown.index(facts.result.best) if facts.result.best in shown else None
    return f"<div class='wide'>{table(head, rows, best_row=best)}</div>{note}"


def _state(facts: StudyFacts, trial: TrialResult) -> str:
    if trial.state.has_value and (missed := facts.result.unmet(trial)):
        return "infeasible: " + "; ".join(missed)
    again = "" if trial.replicate_of is None else f", as {trial.replicate_of} with seed {trial.seed}"
    return trial.state.lower() + again


def replicates(facts: StudyFacts) -> str:
    """Return the trials that were trained again with other seeds, the best mean first."""
    head = ["trial", "selected at", "mean of its replicates", "flattered by", "replicates"]
    rows = [
        [r.trial.number, r.trial.values[facts.metric], r.mean, r.gap, ", ".join(f"{v:.4g}" for v in r.values)]
        for r in facts.result.replicated
    ]
    return table(head, rows, best_row=0)


def failures(facts: StudyFacts) -> str:
    """Return failed and diverged trials, grouped by cause."""
    groups: dict[tuple[str, str], list[TrialResult]] = defaultdict(list)
    for trial in facts.result.trials:
        if trial.state in {TrialState.FAILED, TrialState.DIVERGED, TrialState.INTERRUPTED}:
            kind = trial.failure or trial.state.lower()
            groups[kind, _without_numbers(trial.reason)].append(trial)
    if not groups:
        return "<p>No trial failed or diverged.</p>"
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    rows = [
        [kind, trials[0].reason, len(trials), ", ".join(str(t.number) for t in trials), trials[0].directory]
        for (kind, _), trials in ordered
    ]
    tails = [_log_tail(trials[0]) for _, trials in ordered if trials[0].log_tail]
    return table(["cause", "first seen as", "trials", "numbers", "look at"], rows) + "".join(tails)


def _log_tail(trial: TrialResult) -> str:
    text = escape("\n".join(trial.log_tail[-25:]))
    return f"<details><summary>log of trial {trial.number}</summary><pre>{text}</pre></details>"


def _cell(value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"<td class='number'>{escape(value)}</td>" if is_number or value is None else f"<td>{escape(value)}</td>"


def _difference(facts: StudyFacts, value: float, first: TrialResult) -> str:
    if first.number == (facts.result.best or first).number:
        return "the same trial: the search found nothing better"
    return _compared(facts, value, first.values[facts.metric])


def _compared(facts: StudyFacts, value: float, other: float) -> str:
    is_better = facts.result.objective.direction.is_better(value, other)
    word = "better" if is_better else "not better" if value == other else "worse"
    share = f" ({(value - other) / abs(other):+.1%})" if other else ""
    return f"{word} by {abs(value - other):.4g}{share}" if value != other else word


def _told(facts: StudyFacts, role: str) -> str:
    """Return what an evaluation says of the best trial: compared with a baseline, or measured again."""
    found, best = facts.evaluations[role], facts.result.best
    if found.value is None:
        return f"{found.status}: {found.reason}"
    if role == "baseline" and best is not None:
        return _compared(facts, best.values[facts.metric], found.value)
    told = [] if found.is_reproduced is None else ["reproduced" if found.is_reproduced else "not reproduced"]
    for against, delta in found.deltas.items():
        if found.is_reproduced is not True or against != "trial":
            word = "better" if delta.is_better else "worse" if delta.difference else "not better"
            told.append(f"{word} than the {against} by {abs(delta.difference):.4g}")
    data = "" if found.data == "validation" else f"on {found.data}"
    return ", ".join([*told, *([data] if data else [])])


def _state_of_first(facts: StudyFacts) -> str:
    first = next((t for t in facts.result.trials if t.number == 0), None)
    return f"not comparable: {first.state.lower()}, {first.reason}" if first else "not comparable: it has not ended"


def _without_numbers(reason: str) -> str:
    return re.sub(r"-?\d[\d.e+-]*|\bnan\b|-?\binf\b", "#", reason)
