"""The sections of a report that are tables: titles and rows of values. The page escapes them and formats numbers."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from automl.duration import format_duration
from automl.errors import counted
from automl.html_report.study_facts import title_of
from automl.storage.plan_document import described_skill
from automl.study.cost import WEIGHED
from automl.study.earlier import agreement_rows
from automl.study.events import StudyEnded
from automl.study.last_epochs import last_epochs
from automl.study.replicates import counts_of
from automl.study.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automl.html_report.figures import Figure
    from automl.html_report.study_facts import StudyFacts
    from automl.study.trial import TrialResult

_MAX_ROWS = 500
_ROLES = {
    "baseline": "baseline: the starting checkpoint",
    "baseline_test": "baseline on the test data",
    "champion": "best checkpoint, evaluated again",
    "champion_test": "best checkpoint on the test data",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of the page; `page.html.jinja` shows what is not empty, in this order, and stresses the best row."""

    title: str
    figure: Figure | None = None
    note: str = ""
    head: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()
    best_row: int | None = None
    items: Sequence[str] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    logs: Mapping[str, str] = field(default_factory=dict)
    images: Sequence[tuple[str, str]] = ()


def summary(facts: StudyFacts) -> Section:
    """Return best, trial 0, constant prediction and evaluations side by side, and what the study was."""
    best, metric, overview = facts.result.best, facts.metric, _overview(facts)
    if best is None:
        return Section(title="Result", note="No trial has a usable value.", facts=overview)
    value = best.values[metric]
    rows: list[Sequence[object]] = [(f"best: trial {best.number}, {best.best_at}".rstrip(", "), value, "")]
    label = f"trial 0: {facts.plan.of_first}"
    first = next((trial for trial in facts.result.trials if trial.number == 0), None)
    if first == best:
        rows.append((label, value, "the same trial: the search found nothing better"))
    elif first in facts.result.ranked():
        rows.append((label, first.values[metric], _compared(facts, value, first.values[metric])))
    else:
        state = f"{first.state.lower()}, {first.reason}" if first else "it has not ended"
        rows.append((label, None, f"not comparable: {state}"))
    if (last := last_epochs(facts.result)) is not None:
        by_choice = f"{_compared(facts, value, last.mean)}, by the choice of its epoch"
        rows.append((f"its last {last.count} epochs, mean", last.mean, by_choice))
    if facts.constant is not None:
        rows.append(("a constant prediction", facts.constant, _compared(facts, value, facts.constant)))
    for role, found in facts.evaluations.items():
        if found.value is None and facts.plan.skill.is_program:
            continue  # it has no action that evaluates
        rows.append((_ROLES.get(role, role), found.value, _evaluated(facts, role, value)))
    return Section(title="Result", head=("", metric, "the best trial is"), rows=rows, best_row=0, facts=overview)


def leaderboard(facts: StudyFacts) -> Section:
    """Return the trials, best first, those without a value last."""
    shown = facts.result.leaderboard()[:_MAX_ROWS]
    metrics = [objective.metric for objective in facts.result.objectives]
    rows = [
        (
            trial.number,
            _state(facts, trial),
            *(trial.values.get(metric) if trial.state.has_value else None for metric in metrics),
            trial.best_at.removeprefix("epoch ") or None,
            format_duration(trial.elapsed_s),
            *(trial.assignment.get(parameter.path) for parameter in facts.parameters),
        )
        for trial in shown
    ]
    labels = [parameter.label for parameter in facts.parameters]
    more = len(facts.result.trials) - len(shown)
    note = f"{more} more trials are not shown." if more else ""
    # With replicates the best trial is not always the one with the best value.
    best = shown.index(facts.result.best) if facts.result.best in shown else None
    head = ("trial", "state", *metrics, "best epoch", "time", *labels)
    return Section(title="Leaderboard", note=note, head=head, rows=rows, best_row=best)


def pareto_front(facts: StudyFacts) -> Section:
    """Return the trials of the front with the values of every objective, best of the primary one first."""
    if not facts.result.pareto:
        return Section(title="Pareto front", note="No trial has a value of every objective.")
    objectives = [title_of(objective) for objective in facts.result.objectives]
    rows = [
        (
            trial.number,
            *(trial.values.get(objective.metric) for objective in facts.result.objectives),
            *(trial.assignment.get(parameter.path) for parameter in facts.parameters),
        )
        for trial in facts.result.pareto
    ]
    note = f"{counted(len(rows), 'trial')} that no other trial beats in every objective."
    head = ("trial", *objectives, *(parameter.label for parameter in facts.parameters))
    return Section(title="Pareto front", note=note, head=head, rows=rows)


def replicates(facts: StudyFacts) -> Section:
    """Return the trials that were trained again with other seeds, the winner first."""
    rows = [
        (r.trial.number, r.trial.values[facts.metric], r.mean, r.spread, r.gap, ", ".join(f"{v:.4g}" for v in r.values))
        for r in facts.result.replicated
    ]
    note = "The best value of a search is the best of many noisy ones; the mean of its replicates was not selected."
    head = ("trial", "selected at", "mean of its replicates", "spread", "flattered by", "replicates")
    return Section(title="With other seeds", note=note, head=head, rows=rows, best_row=0)


def failures(facts: StudyFacts) -> Section:
    """Return failed and diverged trials, grouped by cause, and the last lines of a log for each cause."""
    groups: dict[tuple[str, str], list[TrialResult]] = defaultdict(list)
    for trial in facts.result.trials:
        if trial.state in {TrialState.FAILED, TrialState.DIVERGED, TrialState.INTERRUPTED}:
            without_numbers = re.sub(r"-?\d[\d.e+-]*|\bnan\b|-?\binf\b", "#", trial.reason)
            groups[trial.failure or trial.state.lower(), without_numbers].append(trial)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    rows = [
        (cause, trials[0].reason, len(trials), ", ".join(str(t.number) for t in trials), trials[0].directory)
        for (cause, _), trials in ordered
    ]
    firsts = [trials[0] for _, trials in ordered]
    logs = {f"log of trial {trial.number}": "\n".join(trial.log_tail[-25:]) for trial in firsts if trial.log_tail}
    note = "" if rows else "No trial failed or diverged."
    head = ("cause", "first reason", "trials", "numbers", "files of the first") if rows else ()
    return Section(title="Failures by cause", note=note, head=head, rows=rows, logs=logs)


def _state(facts: StudyFacts, trial: TrialResult) -> str:
    if trial.state.has_value and (missed := facts.result.unmet(trial)):
        return "infeasible: " + "; ".join(missed)
    again = "" if trial.replicate_of is None else f", as {trial.replicate_of} with seed {trial.seed}"
    return trial.state.lower() + again


def _compared(facts: StudyFacts, value: float, other: float) -> str:
    if value == other:
        return "not better"
    word = "better" if facts.result.objective.direction.is_better(value, other) else "worse"
    share = f" ({(value - other) / abs(other):+.1%})" if other else ""
    return f"{word} by {abs(value - other):.4g}{share}"


def _evaluated(facts: StudyFacts, role: str, best: float) -> str:
    """Return what an evaluation says of the best trial: compared with a baseline, or measured again."""
    found = facts.evaluations[role]
    if found.value is None:
        return f"{found.status}: {found.reason}"
    if role == "baseline":
        return _compared(facts, best, found.value)
    parts = [] if found.is_reproduced is None else ["reproduced" if found.is_reproduced else "not reproduced"]
    for against, delta in found.deltas.items():
        if found.is_reproduced is not True or against != "trial":
            word = "better" if delta.is_better else "worse" if delta.difference else "not better"
            parts.append(f"{word} than the {against} by {abs(delta.difference):.4g}")
    return ", ".join([*parts, *([f"on {found.data}"] if found.data != "validation" else [])])


def earlier_studies(facts: StudyFacts) -> Section:
    """Return the studies that this one learns from, and how alike they have turned out."""
    rows = [(s.name, s.data, len(s.trials), text) for s, text in agreement_rows(facts.plan.earlier, facts.agreement)]
    note = "A correlation of 1 says that what is good there is good here. Half of the pairs are ranked alike by chance."
    return Section(title="Earlier studies", note=note, head=("study", "data", "trials", "agreement"), rows=rows)


def _overview(facts: StudyFacts) -> dict[str, object]:
    plan, trials = facts.plan, facts.result.trials
    states = ", ".join(f"{n} {state.lower()}" for state, n in Counter(trial.state for trial in trials).items())
    rows: dict[str, object] = {
        "objective": f"{facts.result.objective.direction.value} {facts.metric}",
        "trials": f"{counts_of(trials, plan.budget.trials)}: {states}",
        "time in trials": format_duration(sum(trial.elapsed_s for trial in trials)),
        "sampler, scheduler": f"{plan.sampler}, {plan.scheduler}, seed {plan.seed}{WEIGHED[plan.weighed_by]}",
        **described_skill(asdict(plan.skill)),
        "route": f"{plan.route}: {'; '.join(plan.reasons)}",
        "directory": facts.root,
    }
    if facts.end is not None and facts.end.reason:
        is_over = isinstance(facts.end, StudyEnded)
        rows["ended because" if is_over else "interrupted because"] = facts.end.reason
    if facts.result.best is not None:
        rows["best checkpoint"] = facts.result.best.checkpoint or "none was found"
    return rows
