"""The report of a study: one HTML file that needs no network, below 5 MB, legible from 360 px on, light and dark.

The plotting library lies in the page once, compressed (2 MB instead of 4.8 MB); the browser unpacks it itself. The
package brings it as one file, which `hatch_build.py` takes from plotly when the package is built.
"""

from __future__ import annotations

import base64
import errno
import gzip
import json
import re
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from automl.duration import format_duration
from automl.errors import counted
from automl.html_report import figures, tables
from automl.html_report.advice import advise
from automl.html_report.study_facts import read_facts
from automl.html_report.tables import Section
from automl.storage.documents import write_text
from automl.storage.output_file import require_output
from automl.storage.paths import AttemptPaths, StudyPaths
from automl.storage.trainer_files import read_made
from automl.visible_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automl.html_report.study_facts import StudyFacts

_MAX_PANELS = 8
_MAX_PANEL_BYTES = 1_500_000
_POOR_FIT = 0.5
_NO_FIT = 0.1
"""Below this share of the variance the shares of the parameters are chance."""
_MOST_NOTICES = 100
_LIBRARY = "plotly.min.js.gz"
_GENERATOR = "automl report"


def write_report(root: Path, *, output: Path | None = None) -> Path:
    """Write the report of a study, finished or not, and return the file; `report.html` of the study by default.

    Raises:
        ConfigurationError: the folder is no study directory, or the output is another file.
        OSError: the file cannot be written.
    """
    facts = read_facts(root)
    sections = tuple(_sections(facts))
    plots = {f"figure-{i}": section.figure.document() for i, section in enumerate(sections) if section.figure}
    environment = Environment(
        loader=PackageLoader("automl.html_report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=_shown,
    )
    page = environment.get_template("page.html.jinja").render(
        name=root.name,
        generator=_GENERATOR,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        sections=sections,
        version=version("automl-vision"),
        figures=_script_text(plots),
        library=base64.b64encode(_library()).decode(),
    )
    file = output or StudyPaths(root).report_file
    if output is not None:
        require_output(output, mark=f'<meta name="generator" content="{_GENERATOR}">', kind="a report")
        try:
            output.parent.mkdir(parents=True, exist_ok=True)  # not of a study
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, "it is no folder", str(output)) from error
    write_text(file, page)
    # Others may read it: a report is made to be handed round.
    file.chmod(0o644)
    return file


def _shown(value: object) -> object:
    """Return what stands in the page for a value: texts of strangers turn and hide nothing."""
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _script_text(document: object) -> str:
    """Return JSON in which no text ends the script that it stands in."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _library() -> bytes:
    """Return plotly's JavaScript library, compressed: that of the package, in a checkout also that of plotly."""
    own = files("automl.html_report").joinpath(_LIBRARY)
    if own.is_file():
        return own.read_bytes()
    try:
        content = files("plotly").joinpath("package_data/plotly.min.js").read_bytes()
    except ModuleNotFoundError as error:
        raise FileNotFoundError(
            errno.ENOENT, "this installation is not whole; install automl-vision anew", str(own)
        ) from error
    return gzip.compress(content, 6, mtime=0)


def _sections(facts: StudyFacts) -> Iterator[Section]:
    yield tables.summary(facts)
    if facts.notices:
        left = len(facts.notices) - _MOST_NOTICES
        note = f"{counted(left, 'more notice')} in automl status." if left > 0 else ""
        yield Section(title="Notices", note=note, items=facts.notices[:_MOST_NOTICES])
    yield from _objectives(facts)
    yield Section(title="What to try next", items=advise(facts))
    yield tables.leaderboard(facts)
    if facts.plan.earlier:
        yield tables.earlier_studies(facts)
    if any(trial.curve for trial in facts.result.trials):
        yield Section(title="Learning curves", figure=figures.learning_curves(facts))
    if facts.parameters and not facts.competing.empty:
        yield from _parameters(facts)
    if not facts.attempts.empty:
        yield _timeline(facts)
    yield tables.failures(facts)
    images, refused = _panels(facts)
    if images or refused:
        yield Section(title=f"Predictions of trial {facts.best}", note="; ".join(refused), images=images)


def _objectives(facts: StudyFacts) -> Iterator[Section]:
    if not facts.competing.empty:
        values = facts.competing[facts.metric]
        count = int((facts.clipped(values) != values).sum())
        note = f"Left out of view, for their hopelessly bad values: {counted(count, 'trial')}." if count else ""
        yield Section(title="Objective history", note=note, figure=figures.objective_history(facts))
    if facts.result.further:
        yield tables.pareto_front(facts)
    for other in facts.result.further if facts.result.pareto else ():
        yield Section(title=f"{facts.metric} against {other.metric}", figure=figures.pareto_front(facts, other))
    if facts.result.replicated:
        yield tables.replicates(facts)


def _parameters(facts: StudyFacts) -> Iterator[Section]:
    yield Section(title="Parallel coordinates", figure=figures.parallel_coordinates(facts))
    count = len(facts.competing)
    shares, fit = figures.importances(facts)
    if not shares:
        note = f"{count} trials with different values are too few; {figures.MIN_TRIALS} are needed."
    elif fit < _NO_FIT:
        note = (
            f"Not known: fitted to {count} trials, the model predicts nothing of trials that it has not seen "
            f"(R squared {fit:.2f}). More trials are needed, or the parameters matter less than chance."
        )
    else:
        note = (
            f"From {count} trials with a value. The model predicts {fit:.0%} of the variance of unseen trials"
            f"{', so read the order with care' if fit < _POOR_FIT else ''}."
        )
    shares = shares if fit >= _NO_FIT else {}
    yield Section(title="Importances", note=note, figure=figures.importance_bars(facts, shares) if shares else None)
    note = "Each dot is a trial in the colour of its number; the star is the best one."
    yield Section(title="Slices", note=note, figure=figures.slices(facts))
    by_path = {parameter.path: parameter for parameter in facts.parameters}
    order = [by_path[path] for path in shares or by_path]
    if len(order) > 1:
        figure = figures.pair(facts, *order[:2])
        note = "Contours are interpolated between the trials; only the dots were measured."
        has_contours = figure.data[0]["type"] == "contour"
        title = f"{order[0].label} against {order[1].label}"
        yield Section(title=title, note=note if has_contours else "", figure=figure)


def _timeline(facts: StudyFacts) -> Section:
    attempts, jobs = facts.attempts, facts.plan.resources.jobs
    slots = figures.slots_of(attempts, jobs)
    count = max(jobs, 1 + max(slots))
    elapsed_s = (attempts["end"].max() - attempts["start"].min()).total_seconds()
    busy_s = (attempts["end"] - attempts["start"]).sum().total_seconds()
    busy = busy_s / (elapsed_s * count) if elapsed_s else 1.0
    note = f"{count} slots, {format_duration(elapsed_s)}, busy {busy:.0%} of the time, idle {1 - busy:.0%}."
    return Section(title="Timeline of slots", note=note, figure=figures.timeline(attempts, slots))


def _panels(facts: StudyFacts) -> tuple[list[tuple[str, str]], list[str]]:
    """Return name and PNG in base64 of the pictures of the best trial, and why others are left out.

    They are those of the best epoch, or of trainers that do not name epochs the latest ones; as many as keep the page
    small.
    """
    best = facts.result.best
    if best is None:
        return [], []
    folder = facts.root / best.directory
    images = AttemptPaths(folder).panels()
    named = [(re.search(r"epoch[_=-]?(\d+)", image.stem), image) for image in images]
    of_epoch = [image for match, image in named if match is not None and int(match[1]) == best.best_epoch]
    found: list[tuple[str, str]] = []
    left, refused = _MAX_PANEL_BYTES, list[str]()
    for image in (of_epoch or images)[-_MAX_PANELS:]:
        try:
            content = read_made(folder, image, most_bytes=_MAX_PANEL_BYTES)
        except OSError as error:
            refused.append(str(error))
            continue
        if (left := left - len(content)) < 0:
            break
        found.append((image.stem, base64.b64encode(content).decode()))
    return found, refused
