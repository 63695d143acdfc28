"""Write the report: one HTML file that needs no network, below 5 MB, legible at 1280 px.

The plotting library lies in the page once, compressed (2 MB instead of 4.8 MB); the browser unpacks it itself.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from automl.duration import format_duration
from automl.report.advice import advise
from automl.report.figures import (
    importance_bars,
    learning_curves,
    objective_history,
    pair,
    parallel_coordinates,
    slices,
)
from automl.report.focus import outside
from automl.report.importance import MIN_TRIALS, importances
from automl.report.pareto_figure import pareto_figure, pareto_table
from automl.report.study_facts import StudyFacts, read_facts
from automl.report.tables import escape, failures, leaderboard, replicates, summary
from automl.report.timeline import lay_out, timeline_figure
from automl.storage.documents import write_text
from automl.storage.paths import AttemptPaths, StudyPaths

if TYPE_CHECKING:
    from pathlib import Path


_MAX_PANELS = 8
_MAX_PANEL_BYTES = 1_500_000

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a202c; background: #edf2f7; margin: 0; }
main { max-width: 1200px; margin: 0 auto; padding: 24px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 0 0 12px; }
section { background: white; border: 1px solid #e2e8f0; border-radius: 6px; padding: 18px 22px; margin-top: 18px; }
table { border-collapse: collapse; font-size: 14px; } th, td { padding: 4px 14px 4px 0; text-align: left;
  border-bottom: 1px solid #e2e8f0; white-space: nowrap; } th { color: #4a5568; font-weight: 600; }
td.number { text-align: right; font-variant-numeric: tabular-nums; padding-right: 22px; }
tr.best td { font-weight: 700; color: #276749; } .wide { overflow-x: auto; } td:nth-child(2) { white-space: normal; }
.note, dl { color: #4a5568; font-size: 14px; } dl { display: grid; grid-template-columns: max-content 1fr;
  gap: 2px 18px; margin: 10px 0 0; } dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 12px; }
.panels img { width: 100%; max-width: 760px; image-rendering: pixelated; border: 1px solid #e2e8f0; }
figure { margin: 0; }
figcaption { font-size: 13px; color: #4a5568; } pre { background: #f7fafc; padding: 10px; overflow-x: auto;
  font-size: 12px; } li { margin: 4px 0; }
"""

_SCRIPT = """
(async () => {
  const packed = document.getElementById("plotly").textContent;
  const bytes = Uint8Array.from(atob(packed), c => c.charCodeAt(0));
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(unpacked).text();
  document.head.appendChild(script);
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const options = {displaylogo: false, responsive: true, modeBarButtonsToRemove: ["lasso2d", "select2d"]};
  await Promise.all(Object.entries(figures).map(([id, f]) => Plotly.newPlot(id, f.data, f.layout, options)));
  document.body.dataset.ready = "yes";
})();
"""


@dataclass(slots=True)
class _Page:
    """Sections and figures in the order in which they are added."""

    sections: list[str]
    figures: dict[str, dict[str, Any]]

    def add(self, title: str, body: str = "", figure: dict[str, Any] | None = None) -> None:
        plot = ""
        if figure is not None:
            identity = f"figure-{len(self.figures)}"
            self.figures[identity] = figure
            plot = f'<div id="{identity}" style="height:{figure["layout"]["height"]}px"></div>'
        self.sections.append(f"<section><h2>{escape(title)}</h2>{plot}{body}</section>")


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
    page = _Page([], {})
    page.add("Result", summary(facts) + _what_it_was(facts))
    if facts.competing:
        page.add("Objective history", _what_is_cut_off(facts), objective_history(facts))
    if facts.result.further:
        _add_front(page, facts)
    if facts.result.replicated:
        note = (
            "The value that won the search is the best of many noisy ones; the mean of its replicates was not selected."
        )
        page.add("With other seeds", f"<p class='note'>{note}</p>" + replicates(facts))
    page.add("What to try next", "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in advise(facts)) + "</ul>")
    page.add("Leaderboard", leaderboard(facts))
    if any(trial.curve for trial in facts.result.trials):
        page.add("Learning curves", figure=learning_curves(facts))
    if facts.parameters and facts.competing:
        _add_parameters(page, facts)
    _add_timeline(page, facts)
    page.add("Failures by cause", failures(facts))
    _add_panels(page, facts)
    return _html(facts, page)


def _add_front(page: _Page, facts: StudyFacts) -> None:
    count = len(facts.result.pareto)
    note = f"<p class='note'>{count} trials that no other one beats in every objective.</p>" if count != 1 else ""
    page.add("Pareto front", note + pareto_table(facts))
    for other in facts.result.further:
        page.add(f"{facts.metric} against {other.metric}", figure=pareto_figure(facts, other))


def _add_parameters(page: _Page, facts: StudyFacts) -> None:
    page.add("Parallel coordinates", figure=parallel_coordinates(facts))
    found = importances(facts)
    if found.shares:
        fit = (
            ""
            if found.fit is None
            else f" The model predicts {max(0.0, found.fit):.0%} of the variance of unseen trials"
        )
        warning = ", so read the order with care." if (found.fit or 0) < 0.5 else "."  # noqa: PLR2004 # half
        note = f"<p class='note'>From {found.trials} trials with a value.{fit}{warning}</p>"
        page.add("Importances", note, importance_bars(facts, found))
    else:
        text = f"{found.trials} trials with different values are too few; {MIN_TRIALS} are needed."
        page.add("Importances", f"<p class='note'>{text}</p>")
    page.add("Slices", "<p class='note'>Later trials are darker; the star is the best one.</p>", slices(facts))
    order = [path for path, _ in found.shares] or [p.path for p in facts.parameters]
    if len(order) > 1:
        first, second = (next(p for p in facts.parameters if p.path == path) for path in order[:2])
        figure = pair(facts, first, second)
        note = (
            "<p class='note'>Contours are a smooth surface fitted through the trials; only the dots were measured.</p>"
        )
        has_contours = figure["data"][0]["type"] == "contour"
        page.add(f"{first.label} against {second.label}", note if has_contours else "", figure)


def _what_is_cut_off(facts: StudyFacts) -> str:
    count = outside([trial.values[facts.metric] for trial in facts.competing], facts.window)
    if not count:
        return ""
    subject = "1 value is" if count == 1 else f"{count} values are"
    return f"<p class='note'>{subject} so bad that the plots leave {'it' if count == 1 else 'them'} out of view.</p>"


def _add_timeline(page: _Page, facts: StudyFacts) -> None:
    timeline = lay_out(facts.intervals, facts.jobs)
    if timeline is not None:
        text = (
            f"{len(timeline.slots)} slots, {format_duration(timeline.elapsed_s)}, busy {timeline.busy_fraction:.0%} of "
            f"the time, idle {1 - timeline.busy_fraction:.0%}."
        )
        page.add("Timeline of slots", f"<p class='note'>{text}</p>", timeline_figure(facts, timeline))


def _add_panels(page: _Page, facts: StudyFacts) -> None:
    best = facts.result.best
    if best is None:
        return
    images = _panels_of_best(facts.root / best.directory, best.best_epoch)
    shown, size = [], 0
    for image in images:
        content = image.read_bytes()
        size += len(content)
        if size > _MAX_PANEL_BYTES:
            break
        source = base64.b64encode(content).decode()
        name = escape(image.stem)
        shown.append(
            f'<figure><img alt="{name}" src="data:image/png;base64,{source}"><figcaption>{name}</figcaption></figure>'
        )
    if shown:
        page.add(f"Predictions of trial {best.number}", f"<div class='panels'>{''.join(shown)}</div>")


def _panels_of_best(folder: Path, epoch: int | None) -> list[Path]:
    """Return the pictures of the best epoch; of trainers that do not name epochs, the latest ones."""
    images = AttemptPaths(folder).panels()
    named = [(re.search(r"epoch[_=-]?(\d+)", image.stem), image) for image in images]
    of_epoch = [image for match, image in named if match is not None and int(match[1]) == epoch]
    return (of_epoch or images)[-_MAX_PANELS:]


def _what_it_was(facts: StudyFacts) -> str:
    plan, trials = facts.plan, facts.result.trials
    states = ", ".join(
        f"{sum(t.state is state for t in trials)} {state.lower()}" for state in dict.fromkeys(t.state for t in trials)
    )
    rows = {
        "objective": f"{facts.result.objective.direction.value} {facts.metric}",
        "trials": f"{len(trials)} of {plan['budget']['trials']}: {states}",
        "time in trials": format_duration(sum(t.elapsed_s for t in trials)),
        "sampler, scheduler": f"{plan['sampler']}, {plan['scheduler']}, seed {plan['seed']}",
        "skill": f"{plan['skill']['name']} ({plan['skill']['network_arch']})",
        "route": f"{plan['route']}: {'; '.join(plan['reasons'])}",
        "directory": str(facts.root),
    }
    if facts.end is not None and facts.end.reason:
        rows["ended because" if facts.end.is_over else "cut off because"] = facts.end.reason
    if facts.result.best is not None:
        rows["best checkpoint"] = facts.result.best.checkpoint or "none was found"
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows.items()) + "</dl>"


def _html(facts: StudyFacts, page: _Page) -> str:
    name = escape(facts.plan["name"])
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    # A "<" inside a script element may end it; JSON can say it otherwise.
    figures = json.dumps(_strict(page.figures), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return "\n".join(
        [
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<style>{_STYLE}</style></head><body><main>",
            f"<h1>Study {name}</h1><div class='note'>Written {made} by automl</div>",
            *page.sections,
            "</main>",
            f'<script type="text/plain" id="plotly">{_packed_library()}</script>',
            f'<script type="application/json" id="figures">{figures}</script>',
            f"<script>{_SCRIPT}</script></body></html>",
            "",
        ]
    )


def _packed_library() -> str:
    library = files("plotly").joinpath("package_data/plotly.min.js").read_bytes()
    return base64.b64encode(gzip.compress(library, 6, mtime=0)).decode()


def _strict(value: Any) -> Any:  # noqa: ANN401 # JSON in, JSON out
    """Replace numbers that strict JSON cannot hold by null."""
    match value:
        case dict():
            return {key: _strict(item) for key, item in value.items()}
        case list() | tuple():
            return [_strict(item) for item in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value
