"""How results look on a terminal: the only module that imports rich.

One line per event, aligned, greppable, numbers with units, a path wherever there is something to read. Colour only on a
terminal.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from automl.duration import format_duration
from automl.errors import counted, cut, options_text
from automl.shown_command import shown
from automl.study.earlier import agreement_rows
from automl.study.trial import TrialState
from automl.visible_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import ConsoleOptions, RenderableType
    from rich.segment import Segment

    from automl.preflight.findings import Finding
    from automl.study.earlier import Agreement, EarlierStudy
    from automl.study.result import StudyResult
    from automl.study.trial import TrialResult

STYLES = {
    TrialState.COMPLETED: "green",
    TrialState.STOPPED: "yellow",
    TrialState.DIVERGED: "magenta",
    TrialState.FAILED: "red",
    TrialState.RUNNING: "cyan",
}
_LEVEL_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}
_CHECK_COLUMNS = 30
_BESIDE_COLUMNS = 140  # of a console in which a fix has room beside what was found
# Wide enough for a trial line with three parameters; a pipe has no width of its own.
_PIPE_WIDTH = 160
_OPTION_COLUMNS = 24


class VisibleConsole(Console):
    """Shows the control characters of texts (those of colours are added later), and takes no text for markup.

    With ``is_page`` it keeps what is printed, to be exported, and shows nothing in a notebook.
    """

    def __init__(
        self, stream: TextIO, *, soft_wrap: bool = False, width: int | None = None, is_page: bool = False
    ) -> None:
        super().__init__(
            file=getattr(stream, "unescaped", stream),
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=soft_wrap,
            width=width,
            record=is_page,
            force_jupyter=False if is_page else None,
        )

    def render_str(self, text: str, **style: Any) -> Text:  # noqa: ANN401 # those of rich
        """Turn a text of a cell into one whose width is that of what is shown."""
        return super().render_str(visible(text), **style)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as any console does, with the control characters of the texts made visible."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


def console(*, to_stderr: bool = False) -> Console:
    """Return a console for results (stdout) or for progress (stderr)."""
    stream = sys.stderr if to_stderr else sys.stdout
    return VisibleConsole(stream, soft_wrap=True, width=None if stream.isatty() else _PIPE_WIDTH)


def format_value(value: object) -> str:
    """Return a value for people: floats with four significant digits, text as it is."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def format_assignment(assignment: Mapping[str, object]) -> str:
    """Return the searched values in one line, under short names."""
    names = short_names(assignment)
    return "  ".join(f"{names[path]}={format_value(value)}" for path, value in assignment.items())


def format_measure(value: float) -> str:
    """Return a value with four decimals, or with an exponent where these would show zeros or a hundred digits."""
    size = abs(value)
    return f"{value:.4f}" if size == 0 or 1e-3 <= size < 1e6 else f"{value:.4g}"  # noqa: PLR2004 - 4 digits or more


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """Return each path's shortest ending, whole parts only, that no other of the paths has."""
    endings: dict[str, list[str]] = {}
    for path in paths:
        parts = path.split(".")
        endings[path] = [".".join(parts[start:]) for start in reversed(range(len(parts)))]
    seen = Counter(ending for own in endings.values() for ending in own)
    return {path: next((ending for ending in own if seen[ending] == 1), path) for path, own in endings.items()}


def count_states(trials: Iterable[TrialResult]) -> str:
    """Return how many trials are in each state."""
    states = Counter(trial.state.value.lower() for trial in trials)
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none yet"


def best_row(result: StudyResult) -> list[tuple[str, object]]:
    """Return the row about the best trial, if there is one."""
    best, metric = result.best, result.objective.metric
    if best is None:
        return []
    at = f" at {best.best_at}" if best.best_at else ""
    return [("best", f"trial {best.number}, {metric} {format_measure(best.values[metric])}{at}")]


def earlier_rows(
    earlier: Sequence[EarlierStudy], agreement: Mapping[str, Agreement] | None
) -> list[tuple[str, object]]:
    """Return a row for each earlier study that a study learns from: how alike it is."""
    return [
        ("learns from" if number == 0 else "", f"{study.name} ({counted(len(study.trials), 'trial')}): {text}")
        for number, (study, text) in enumerate(agreement_rows(earlier, agreement))
    ]


def trial_line(result: TrialResult, *, metric: str, max_epochs: int | None, is_best: bool) -> Text:
    """Return the line of a trial that ended.

    ``trial  7  completed  val/abs_rel 0.0812  (best)   epoch 10 of 10   6 min 12 s  lr=0.001``
    """
    value = result.values.get(metric)
    shown = result.reason or (result.failure.value if result.failure else "")
    if value is not None and result.state.has_value:
        shown = f"{metric} {format_measure(value)}"
    epochs = epochs_so_far(result.epochs, max_epochs)
    line = Text(f"trial {result.number:3d}  ")
    line.append(f"{result.state.value.lower():<9}", style=STYLES.get(result.state, ""))
    line.append(
        f"  {shown:<40}{'  (best)' if is_best else '        '}  {epochs:<14}  {format_duration(result.elapsed_s):>11}"
    )
    line.append(f"  {format_assignment(result.assignment)}", style="dim")
    return line


def epochs_so_far(epochs: int, max_epochs: int | None) -> str:
    """Return how many epochs a trial has finished, in words."""
    return f"epoch {epochs} of {max_epochs}" if max_epochs else f"epoch {epochs}"


def leaderboard(result: StudyResult, *, limit: int | None = None, max_epochs: int | None = None) -> Table:
    """Return the trials, best first, then those that cannot win; the parameters that differ as columns.

    Of several objectives each has a column, and an asterisk marks the trials of the Pareto front. The epoch is that of
    the best value; of a trial that runs, value and epoch are the latest.
    """
    return trials_table([("", result, trial) for trial in result.leaderboard()[:limit]], max_epochs=max_epochs)


def trials_table(entries: Sequence[tuple[str, StudyResult, TrialResult]], *, max_epochs: int | None = None) -> Table:
    """Return one row for each trial, in this order; the name of its study stands first where there is one."""
    metrics = list(dict.fromkeys(metric for _, result, _ in entries for metric in result.wanted_metrics))
    fronts = {id(result): result.pareto for _, result, _ in entries if result.further}
    paths = differing_parameters([trial for _, _, trial in entries])
    has_studies = any(study for study, _, _ in entries)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in (*(["study"] if has_studies else []), "trial", "state", *metrics, "epoch", "time"):
        table.add_column(name, justify="left" if name in {"study", "state"} else "right", no_wrap=True)
    for name in short_names(paths).values():
        table.add_column(name, justify="right", no_wrap=True)
    for study, result, trial in entries:
        front = fronts.get(id(result), ())
        state = "infeasible" if trial.state.has_value and result.unmet(trial) else trial.state.value.lower()
        if trial.replicate_of is not None:
            state += f", as {trial.replicate_of}"
        table.add_row(
            *([cut(study)] if has_studies else []),
            f"{'* ' if trial in front else ''}{trial.number}",
            Text(state, style=STYLES.get(trial.state, "")),
            *(format_measure(trial.values[metric]) if metric in trial.values else "-" for metric in metrics),
            _epoch_of(trial, max_epochs),
            format_duration(trial.elapsed_s),
            *(cut(format_value(trial.assignment.get(path, "-")), _OPTION_COLUMNS) for path in paths),
        )
    return table


def _epoch_of(trial: TrialResult, max_epochs: int | None) -> str:
    if trial.state is TrialState.RUNNING:
        return epochs_so_far(trial.epochs, max_epochs).removeprefix("epoch ")
    return trial.best_at.removeprefix("epoch ") or "-"


def differing_parameters(trials: Sequence[TrialResult]) -> list[str]:
    """Return the searched parameters that do not have one value in all trials, in order of first appearance."""
    paths = list(dict.fromkeys(path for trial in trials for path in trial.assignment))
    return [path for path in paths if len({repr(trial.assignment.get(path)) for trial in trials}) > 1]


def key_values(rows: Iterable[tuple[str, object]]) -> Table:
    """Return two aligned columns without a frame."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(str(value)))
    return table


def plain_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a table without a frame; long values are folded."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in head:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def findings_table(findings: Iterable[Finding], width: int) -> Table:
    """Return one row per check: what was looked at, ok, warn or fail, what was found and the fix.

    In a console of few columns a fix stands below what was found.
    """
    is_narrow = width < _BESIDE_COLUMNS
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("check", overflow="fold", max_width=_CHECK_COLUMNS)
    table.add_column("", no_wrap=True)
    table.add_column("found", overflow="fold", ratio=3)
    if not is_narrow:
        table.add_column("fix", overflow="fold", ratio=2)
    for finding in findings:
        check, place = finding.check, ""
        if len(check) > _CHECK_COLUMNS:
            check, _, place = check.partition(": ")
        check = f"{finding.where}: {check}" if finding.where else check
        wanted = f" (expected: {finding.expected})" if finding.expected and finding.level != "ok" else ""
        level = Text(finding.level.value, style=_LEVEL_STYLES[finding.level.value])
        found = f"{place}: {finding.found}{wanted}" if place else finding.found + wanted
        if is_narrow:
            table.add_row(Text(check), level, Text(f"{found}\nfix: {finding.fix}" if finding.fix else found))
        else:
            table.add_row(Text(check), level, Text(found), Text(finding.fix))
    return table


def space_table(document: Mapping[str, Any]) -> Table:
    """Return the searched parameters with range, scale, default and reason."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    # A name is whole whatever stands beside it.
    longest = max((len(parameter["path"]) for parameter in document["parameters"]), default=0)
    for name in ("parameter", "range", "scale", "default", "why"):
        least = longest if name == "parameter" else None
        table.add_column(name, overflow="fold", no_wrap=name != "why", min_width=least)
    for parameter in document["parameters"]:
        condition = f"; only while {parameter['condition']}" if parameter["condition"] else ""
        cost = f"; {parameter['cost']}" if parameter["cost"] else ""
        default, why = cut(format_value(parameter["default"]), _OPTION_COLUMNS), parameter["reason"] + condition + cost
        table.add_row(parameter["path"], _values_of(parameter), _scale_of(parameter), default, why)
    return table


def space_notes(document: Mapping[str, Any]) -> str:
    """Return what holds between the parameters of a space, and what an expert would add; empty for nothing."""
    lines = "".join(f"\n  {relation}" for relation in document["relations"])
    related = f"\nin every trial:{lines}\n" if lines else ""
    added = " ".join(shown("--search", item) for item in document["proposed"])
    more = f"\nlittle is searched; what an expert would search (--search recommended):\n  {added}\n" if added else ""
    return related + more


def _values_of(parameter: Mapping[str, Any]) -> str:
    if parameter["choices"]:
        return f"{{{options_text(parameter['choices'], width=2 * _OPTION_COLUMNS)}}}"
    beside = "".join(f"{'none' if value is None else value} | " for value in parameter["beside"])
    unit = f" {parameter['unit']}" if parameter["unit"] else ""
    if parameter["low"] == parameter["high"]:
        return f"{beside}{parameter['low']:g}{unit} (fixed)"
    return f"{beside}{parameter['low']:g} .. {parameter['high']:g}{unit}"


def _scale_of(parameter: Mapping[str, Any]) -> str:
    if parameter["choices"]:
        return str(parameter["type"])
    scale = "log " if parameter["log"] else "log of 1-x " if parameter["log_to_one"] else ""
    return f"{scale}{parameter['type']}"
