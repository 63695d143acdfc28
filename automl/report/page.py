"""The report of a study: one HTML file that needs no network, below 5 MB, legible at 1280 px.

The plotting library lies in the page once, compressed (2 MB instead of 4.8 MB); the browser unpacks it itself.
"""

from __future__ import annotations

import base64
import gzip
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from automl.duration import format_duration
from automl.errors import counted
from automl.report import figures, tables
from automl.report.advice import advise
from automl.report.study_facts import read_facts
from automl.storage.documents import write_text
from automl.storage.paths import AttemptPaths, StudyPaths
from automl.study.events import StudyEnded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from automl.report.study_facts import StudyFacts
    from automl.report.tables import Table

_MAX_PANELS = 8
_MAX_PANEL_BYTES = 1_500_000
_POOR_FIT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    """A section of the page; `page.html.jinja` shows what is not empty, in this order."""

    title: str
    figure: Any = None
    note: str = ""
    table: Table | None = None
    items: Sequence[str] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    logs: Mapping[str, str] = field(default_factory=dict)
    images: Sequence[tuple[str, str]] = ()


def write_report(root: Path, *, output: Path | None = None) -> Path:
    """Write the report of a study, finished or not.

    Args:
        root: The study directory.
        output: Where to write; `report.html` of the study by default.

    Returns:
        The file.

    Raises:
        ConfigurationError: the folder is no study directory.
        OSError: the file cannot be written.
    """
    file = output or StudyPaths(root).report_file
    write_text(file, render(read_facts(root)))
    # Others may read it: a report is made to be handed round.
    file.chmod(0o644)
    return file


def render(facts: StudyFacts) -> str:
    """Return the page."""
    sections = tuple(_sections(facts))
    plots = [f'"figure-{i}":{section.figure.to_json()}' for i, section in enumerate(sections) if section.figure]
    library = files("plotly").joinpath("package_data/plotly.min.js").read_bytes()
    environment = Environment(
        loader=PackageLoader("automl.report", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html.jinja").render(
        name=facts.plan.name,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        sections=sections,
        figures=f"{{{','.join(plots)}}}",
        library=base64.b64encode(gzip.compress(library, 6, mtime=0)).decode(),
    )


def _sections(facts: StudyFacts) -> Iterator[_Section]:
    summary = tables.summary(facts)
    note = "" if summary else "No trial has a usable value."
    yield _Section(title="Result", note=note, table=summary, facts=_overview(facts))
    yield from _objectives(facts)
    yield _Section(title="What to try next", items=advise(facts))
    board, note = tables.leaderboard(facts)
    yield _Section(title="Leaderboard", note=note, table=board)
    if any(trial.curve for trial in facts.result.trials):
        yield _Section(title="Learning curves", figure=figures.learning_curves(facts))
    if facts.parameters and not facts.competing.empty:
        yield from _parameters(facts)
    if not facts.attempts.empty:
        yield _timeline(facts)
    causes, logs = tables.failures(facts)
    note = "" if causes else "No trial failed or diverged."
    yield _Section(title="Failures by cause", note=note, table=causes, logs=logs)
    images = _panels(facts)
    if images:
        yield _Section(title=f"Predictions of trial {facts.best}", images=images)


def _objectives(facts: StudyFacts) -> Iterator[_Section]:
    if not facts.competing.empty:
        values = facts.competing[facts.metric]
        count = int((facts.clipped(values) != values).sum())
        note = f"Left out of view, for their hopelessly bad values: {counted(count, 'trial')}." if count else ""
        yield _Section(title="Objective history", note=note, figure=figures.objective_history(facts))
    if facts.result.further and not facts.result.pareto:
        yield _Section(title="Pareto front", note="No trial has a value of every objective.")
    elif facts.result.further:
        note = f"{counted(len(facts.result.pareto), 'trial')} that no other trial beats in every objective."
        yield _Section(title="Pareto front", note=note, table=tables.pareto_table(facts))
        for other in facts.result.further:
            yield _Section(title=f"{facts.metric} against {other.metric}", figure=figures.pareto_front(facts, other))
    if facts.result.replicated:
        note = "The best value of a search is the best of many noisy ones; the mean of its replicates was not selected."
        yield _Section(title="With other seeds", note=note, table=tables.replicates(facts))


def _parameters(facts: StudyFacts) -> Iterator[_Section]:
    yield _Section(title="Parallel coordinates", figure=figures.parallel_coordinates(facts))
    count = len(facts.competing)
    shares, fit = figures.importances(facts)
    if shares:
        note = (
            f"From {count} trials with a value. The model predicts {max(0.0, fit):.0%} of the variance of unseen "
            f"trials{', so read the order with care' if fit < _POOR_FIT else ''}."
        )
        yield _Section(title="Importances", note=note, figure=figures.importance_bars(facts, shares))
    else:
        note = f"{count} trials with different values are too few; {figures.MIN_TRIALS} are needed."
        yield _Section(title="Importances", note=note)
    note = "Later trials are darker; the star is the best one."
    yield _Section(title="Slices", note=note, figure=figures.slices(facts))
    by_path = {parameter.path: parameter for parameter in facts.parameters}
    order = [by_path[path] for path in shares or by_path]
    if len(order) > 1:
        figure = figures.pair(facts, *order[:2])
        note = "Contours are interpolated between the trials; only the dots were measured."
        has_contours = figure.data[0].type == "contour"
        title = f"{order[0].label} against {order[1].label}"
        yield _Section(title=title, note=note if has_contours else "", figure=figure)


def _timeline(facts: StudyFacts) -> _Section:
    attempts, jobs = facts.attempts, facts.plan.resources.jobs
    slots = figures.slots_of(attempts, jobs)
    count = max(jobs, 1 + max(slots))
    elapsed_s = (attempts["end"].max() - attempts["start"].min()).total_seconds()
    busy_s = (attempts["end"] - attempts["start"]).sum().total_seconds()
    busy = busy_s / (elapsed_s * count) if elapsed_s else 1.0
    note = f"{count} slots, {format_duration(elapsed_s)}, busy {busy:.0%} of the time, idle {1 - busy:.0%}."
    return _Section(title="Timeline of slots", note=note, figure=figures.timeline(attempts, slots))


def _panels(facts: StudyFacts) -> list[tuple[str, str]]:
    """Return name and PNG in base64 of the pictures of the best trial, as many as keep the page small."""
    best = facts.result.best
    shown: list[tuple[str, str]] = []
    size = 0
    for image in _panels_of_best(facts.root / best.directory, best.best_epoch) if best is not None else ():
        content = image.read_bytes()
        size += len(content)
        if size > _MAX_PANEL_BYTES:
            break
        shown.append((image.stem, base64.b64encode(content).decode()))
    return shown


def _panels_of_best(folder: Path, epoch: int | None) -> list[Path]:
    """Return the pictures of the best epoch; of trainers that do not name epochs, the latest ones."""
    images = AttemptPaths(folder).panels()
    named = [(re.search(r"epoch[_=-]?(\d+)", image.stem), image) for image in images]
    of_epoch = [image for match, image in named if match is not None and int(match[1]) == epoch]
    return (of_epoch or images)[-_MAX_PANELS:]


def _overview(facts: StudyFacts) -> dict[str, object]:
    plan, trials = facts.plan, facts.result.trials
    states = ", ".join(f"{n} {state.lower()}" for state, n in Counter(trial.state for trial in trials).items())
    rows: dict[str, object] = {
        "objective": f"{facts.result.objective.direction.value} {facts.metric}",
        "trials": f"{len(trials)} of {plan.budget.trials}: {states}",
        "time in trials": format_duration(sum(trial.elapsed_s for trial in trials)),
        "sampler, scheduler": f"{plan.sampler}, {plan.scheduler}, seed {plan.seed}",
        "skill": f"{plan.skill.name} ({plan.skill.network_arch})",
        "route": f"{plan.route}: {'; '.join(plan.reasons)}",
        "directory": facts.root,
    }
    if facts.end is not None and facts.end.reason:
        is_over = isinstance(facts.end, StudyEnded)
        rows["ended because" if is_over else "interrupted because"] = facts.end.reason
    if facts.result.best is not None:
        rows["best checkpoint"] = facts.result.best.checkpoint or "none was found"
    return rows
