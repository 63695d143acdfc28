"""`automl resume`, `stop`, `status`, `logs`, `compare`, `report`, `sync`: commands on a study directory."""

from __future__ import annotations

import csv
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from automl.cli.completion import completing, studies
from automl.cli.options import (
    StudyPath,
    json_option,
    notify_option,
    print_json,
    progress_and_notification,
    record_rows,
    study_argument,
)
from automl.cli.paths import wrong_argument
from automl.cli.summary import show_study
from automl.errors import NothingToRunError
from automl.request.counts import MOST
from automl.shown_command import shown_command
from automl.storage.final_status import read_settled
from automl.storage.owner import running_process
from automl.storage.paths import StudyPaths
from automl.storage.plan_document import read_plan
from automl.storage.study_directory import read_study
from automl.storage.trainer_files import RefusedFileError, open_made
from automl.study.ends import StopCause, StopKind
from automl.study.replicates import counts_of
from automl.study.trial import TrialState
from automl.visible_text import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from automl.study.result import StudyResult
    from automl.study.trial import TrialResult

_POLL_S = 0.3
_SHOWN_TRIALS = 100
"""Rows of a table of trials: more take seconds to lay out, and nobody reads them on a terminal."""
_CHUNK_BYTES = 1 << 20

commands = click.Group()


@commands.command("resume")
@study_argument
@click.option("--trials", type=click.IntRange(1, MOST["trials"]), metavar="N", help="A new number of trials.")
@click.option("--ray-address", metavar="ADDRESS", help="A Ray cluster [this machine].")
@click.option(
    "--accept-changed-code", is_flag=True, help="Go on though files of your program have changed; a notice says so."
)
@notify_option
@json_option()
def _resume(
    root: Path,
    *,
    trials: int | None,
    ray_address: str | None,
    accept_changed_code: bool,
    notify: str | None,
    as_json: bool,
) -> None:
    """Continue an interrupted study; trials that have ended are kept."""
    from automl.resume import resume_study

    resume_study(
        root,
        trials=trials,
        ray_address=ray_address,
        accepts_changed_code=accept_changed_code,
        extra_trackers=progress_and_notification(notify, root),
    )
    show_study(root, as_json=as_json)


@commands.command(
    "stop", help="End a study: running trials are stopped, their best values count, the best checkpoint is handed over."
)
@study_argument
@click.option(
    "--trial", "number", type=click.IntRange(min=0), metavar="N", help="Only this trial; the study continues."
)
@json_option("One JSON document on stdout.")
def _stop(root: Path, number: int | None, *, as_json: bool) -> None:
    from automl.trial.stop_request import request_stop

    _, result = read_study(root)
    process = running_process(StudyPaths(root))
    if process is None:
        raise NothingToRunError(f"no process runs {root}")
    cause = StopCause(kind=StopKind.USER, detail="stopped by the user")
    if number is None:
        request_stop(root, cause)
        said = f"the study (process {process}) is asked to end; automl resume goes on with it later"
        _say_stop(root, None, said, as_json=as_json)
        return
    trial = next((t for t in result.trials if t.number == number and t.state is TrialState.RUNNING), None)
    if trial is None:
        raise NothingToRunError(f"no trial {number} of {root} is running")
    request_stop(StudyPaths(root).attempt(number, trial.attempt).root, cause, study=root)
    _say_stop(root, number, f"trial {number} is asked to stop", as_json=as_json)


def _say_stop(root: Path, trial: int | None, said: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"study_dir": str(root), "trial": trial, "text": said})
    else:
        click.echo(said)


@commands.command("status")
@study_argument
@click.option("--watch", is_flag=True, help="Refresh until the study ends; with --json print its events, one a line.")
@json_option("One JSON document on stdout.")
def _status(root: Path, *, watch: bool, as_json: bool) -> None:
    """Show the progress of a study. Reads files only: works while it runs and after a crash."""
    if watch:
        from automl.cli import watch as live

        (live.stream_events if as_json else live.watch)(root)
        return
    if as_json:
        from automl.tracking.mlflow.folder import recorded_document

        print_json(recorded_document(root))
        return
    from automl.cli import render

    plan, result, outcome = read_settled(root)
    rows = [
        ("study", f"{root.name}  {root}"),
        ("state", outcome),
        ("trials", f"{counts_of(result.trials, plan.budget.trials)}: {render.count_states(result.trials)}"),
        *render.best_row(result),
        *render.earlier_rows(plan.earlier, outcome.agreement),
        *(("notice", text) for text in outcome.notices),
        *record_rows(root),
    ]
    console = render.console()
    console.print(render.key_values(rows))
    console.print()
    console.print(render.leaderboard(result, limit=_SHOWN_TRIALS, max_epochs=plan.max_epochs))
    if len(result.trials) > _SHOWN_TRIALS:
        more = shown_command("compare", root, "--top", "N")
        console.print(f"... and {len(result.trials) - _SHOWN_TRIALS} more: {more}")


@commands.command("logs")
@study_argument
@click.argument("trial", type=click.IntRange(min=0))
@click.option("-f", "--follow", is_flag=True, help="Follow the log until the trial ends.")
@click.option("--raw", is_flag=True, help="Byte by byte, with colours and everything else that a terminal acts on.")
@json_option("One JSON document on stdout.")
def _logs(root: Path, trial: int, *, follow: bool, raw: bool, as_json: bool) -> None:
    """Print the log of a trial, of its latest attempt; control characters are shown as text."""
    result = _trial(root, trial)
    log = StudyPaths(root).attempt(trial, result.attempt).log_file
    if not follow and not log.exists():
        raise wrong_argument(str(log), "no log", "a trial that was started", "choose another trial")
    if as_json:
        if follow or raw:
            raise wrong_argument("--json", "--follow or --raw beside it", "one of them", "leave the others out")
        texts: list[bytes] = []
        _print_from(log, 0, texts.append)
        print_json({"trial": trial, "attempt": result.attempt, "log": str(log), "text": _plain_text(b"".join(texts))})
        return
    show = sys.stdout.buffer.write if raw else _show_text
    offset = _print_from(log, 0, show)
    while follow:
        # Checked before reading, so that everything written before the end is printed.
        now = _trial(root, trial)
        is_same = (now.state, now.attempt) == (result.state, result.attempt)
        is_running = is_same and running_process(StudyPaths(root)) is not None
        offset = _print_from(log, offset, show)
        if result.state.is_final or not is_running:
            return
        time.sleep(_POLL_S)


def _trial(root: Path, number: int) -> TrialResult:
    _, result = read_study(root)
    found = next((trial for trial in result.trials if trial.number == number), None)
    if found is None:
        listed = ", ".join(str(trial.number) for trial in result.trials) or "no trial yet"
        raise wrong_argument(f"TRIAL {number}", "no such trial", listed, "choose one of these trials")
    return found


def _show_text(content: bytes) -> int:
    return sys.stdout.write(_plain_text(content))


def _plain_text(content: bytes) -> str:
    # Progress bars return to the start of their line: each state of them gets a line.
    return visible(content.decode("utf-8", "backslashreplace").replace("\r\n", "\n").replace("\r", "\n"))


def _print_from(log: Path, offset: int, show: Callable[[bytes], object]) -> int:
    """Write a log to stdout from an offset; return the offset behind it."""
    try:
        with open_made(log.parent, log) as stream:
            stream.seek(offset)
            # Whole lines, so that no character is cut; of a longer one a part.
            while content := stream.readline(_CHUNK_BYTES):
                show(content)
                offset += len(content)
    except FileNotFoundError:
        return offset
    except RefusedFileError as error:
        raise wrong_argument(
            str(log), str(error), "the log as the trial began it", "read what else it wrote"
        ) from error
    sys.stdout.flush()
    return offset


@commands.command("compare")
@click.argument(
    "study_dirs",
    nargs=-1,
    required=True,
    metavar="STUDY...",
    type=StudyPath(),
    shell_complete=completing(studies, has_files=True),
)
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Show the first N trials of each study [100].")
@json_option("One JSON document on stdout.")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values on stdout.")
def _compare(study_dirs: tuple[Path, ...], *, top: int | None, as_json: bool, as_csv: bool) -> None:
    """Rank the trials of one or several studies, best first; of several, in one table below what they differ in."""
    from automl.cli import comparison

    studies = comparison.read_studies(study_dirs)
    rows = [row for one in studies for row in _rows(one.name, one.result)[:top]]
    if as_json:
        notices = {study.name: list(study.notices) for study in studies}
        print_json({"settings": comparison.differing_settings(studies), "trials": rows, "notices": notices})
        return
    if as_csv:
        for row in rows:
            row.update(row.pop("assignment"))
        writer = csv.DictWriter(sys.stdout, list(dict.fromkeys(key for row in rows for key in row)), restval="")
        writer.writeheader()
        writer.writerows(rows)
        return
    comparison.show(studies, top or _SHOWN_TRIALS)


def _rows(name: str, result: StudyResult) -> list[dict[str, Any]]:
    front = result.pareto
    return [
        {
            "study": name,
            "trial": trial.number,
            "state": trial.state.value,
            **{metric: trial.values.get(metric) for metric in result.wanted_metrics},
            **({"pareto": trial in front} if result.further else {}),
            **({"unmet": "; ".join(result.unmet(trial))} if result.constraints else {}),
            "best_epoch": trial.best_epoch,
            "elapsed_s": round(trial.elapsed_s, 3),
            "reason": trial.reason,
            "assignment": dict(trial.assignment),
        }
        for trial in result.leaderboard()
    ]


@commands.command("report")
@study_argument
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to write [report.html of the study]."
)
def _report(root: Path, output: Path | None) -> None:
    """Write one self-contained HTML page about a study, finished or not."""
    from automl.html_report.page import write_report

    click.echo(write_report(root, output=output))


@commands.command("promote")
@study_argument
@click.option("--tracking-uri", metavar="URI", help="Another server than that of the study.")
def _promote(root: Path, tracking_uri: str | None) -> None:
    """Make the best checkpoint of a study the champion of its model, whatever the values are."""
    from automl.handoff.integrity import require_sound
    from automl.tracking.mlflow.champion import promote
    from automl.tracking.mlflow.folder import MlflowFolder
    from automl.tracking.mlflow.tracker import sync
    from automl.tracking.mlflow.uri import absolute_uri

    plan = read_plan(StudyPaths(root))
    require_sound(StudyPaths(root))
    uri = absolute_uri(tracking_uri) if tracking_uri else plan.mlflow.tracking_uri
    sync(StudyPaths(root), uri, plan.mlflow.experiment)
    folder = MlflowFolder(StudyPaths(root))
    done, model = promote(uri, plan.model or plan.name, folder.own_id(uri))
    folder.save_state(uri, replace(folder.load_state(uri), model=model))
    click.echo(done)


@commands.command("sync")
@study_argument
@click.option("--tracking-uri", metavar="URI", help="Another server; it gets the whole study.")
def _sync(root: Path, tracking_uri: str | None) -> None:
    """Upload what MLflow does not have yet of a study."""
    from automl.handoff.integrity import require_sound
    from automl.tracking.mlflow.tracker import sync
    from automl.tracking.mlflow.uri import absolute_uri, without_password

    record = read_plan(StudyPaths(root)).mlflow
    require_sound(StudyPaths(root))
    uri = absolute_uri(tracking_uri) if tracking_uri else record.tracking_uri
    refused = sync(StudyPaths(root), uri, record.experiment)
    for one in refused:
        click.echo(f"refused by MLflow, and left out: {one}")
    click.echo(f"{without_password(uri)} has the {'rest of the' if refused else 'whole'} record of {root}")
