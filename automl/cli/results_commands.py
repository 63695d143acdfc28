"""`automl list`, `clean`, `ui`: commands on a folder of results or skills; and `skill`, which needs none."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.resources
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from automl.cli.options import json_option, print_json
from automl.cli.paths import results_root, wrong_argument
from automl.errors import AutomlError, Problem, cut
from automl.machine import shown_bytes
from automl.regular_file import found_in
from automl.shown_command import shown_command
from automl.visible_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.handoff.cleaning import Inventory


commands = click.Group()


@commands.command(
    "list",
    help="List the built-in skills, or the skills of a folder: runnable, blocked (why), disabled; or the studies of a "
    "results folder; or the plug-ins.",
)
@click.argument("root", required=False, type=click.Path(path_type=Path), metavar="[FOLDER]")
@click.option("--studies", is_flag=True, help="List the studies of a results folder [results/, AUTOML_RESULTS].")
@click.option("--plugins", is_flag=True, help="List what other distributions add, and why something cannot be used.")
@json_option("One JSON document on stdout.")
def _list(root: Path | None, *, studies: bool, plugins: bool, as_json: bool) -> None:
    if plugins:
        _list_plugins(as_json=as_json)
        return
    if studies:
        _list_studies(root, as_json=as_json)
        return
    from automl.resources import builtin_skills
    from automl.skill.catalog import describe, list_skills
    from automl.skill.load import load_skill

    entries = list_skills(root) if root is not None else tuple(describe(load_skill(name)) for name in builtin_skills())
    if as_json:
        fields = ("name", "network_arch", "status", "reason")
        rows = [{**{name: getattr(entry, name) for name in fields}, "path": str(entry.path)} for entry in entries]
        print_json({"skills": rows})
        return
    names = [cut(one_line(entry.name)) for entry in entries]
    width = max(map(len, names), default=0)
    for name, entry in zip(names, entries, strict=True):
        click.echo(f"{entry.status.value:<10}  {name:<{width}}  {one_line(entry.reason or str(entry.path))}".rstrip())
    if not entries:
        click.echo(f"no model skill under {root}")


def _list_studies(given: Path | None, *, as_json: bool) -> None:
    from automl.cli.render import format_measure
    from automl.storage.overview import list_studies

    results = results_root(given)
    with _about_studies(given, "list", "--studies"):
        found = list_studies(results)
    if not found:
        _require_no_study(given, "list", "--studies")
    if as_json:
        print_json({"studies": [{**dataclasses.asdict(row), "path": str(row.path)} for row in found]})
        return
    texts = [[cut(one_line(text)) for text in (row.name, row.skill, row.data)] for row in found]
    names, skills, data = (max(map(len, column)) for column in zip(*texts, strict=True)) if texts else (0, 0, 0)
    for row, (name, skill, split) in zip(found, texts, strict=True):
        states = ", ".join(f"{count} {state}" for state, count in row.states.items())
        best = "" if row.best is None else f"best {row.metric} {format_measure(row.best)}"
        what = f"{name:<{names}}  {_local_time(row.started)}  {skill:<{skills}}  {split:<{data}}"
        counts = f"{row.trials:>4} of {row.planned:<4}  {best:<24}  {states}"
        gone = f"a part of it is missing: {'; '.join(row.missing)}" if row.missing else ""
        line = f"{row.state:<11}  {what}  {counts}".rstrip()
        click.echo("; ".join(filter(None, (line, row.reason, gone))))
    if not found:
        click.echo(f"no study under {results}")


def _local_time(started: str) -> str:
    """Return a time as it is on the clock of this machine; spaces of its width for none."""
    return f"{datetime.fromisoformat(started).astimezone():%Y-%m-%d %H:%M}" if started else " " * 16


def _list_plugins(*, as_json: bool) -> None:
    from automl.plugin_kinds import problem_of
    from automl.plugins import installed_plugins

    found = [(plugin, problem_of(plugin)) for plugin in installed_plugins()]
    if as_json:
        rows = [{**dataclasses.asdict(plugin), "problem": problem or None} for plugin, problem in found]
        print_json({"plugins": rows})
        return
    names = [cut(one_line(plugin.name)) for plugin, _ in found]
    width = max(map(len, names), default=0)
    for name, (plugin, problem) in zip(names, found, strict=True):
        origin, state = one_line(plugin.origin), one_line(problem) or "can be used"
        click.echo(f"{plugin.kind.one:<9}  {name:<{width}}  {origin}  {state}")
    if not found:
        click.echo("no plug-in is installed")


def _require_no_study(given: Path | None, *command: str) -> None:
    """Refuse the folder of one study, and its name, where a folder with studies in it is meant.

    Raises:
        ConfigurationError: it is one.
    """
    from automl.storage.paths import StudyPaths
    from automl.storage.plan_document import named_study

    root = results_root(given)
    is_study = StudyPaths(root).plan_file.is_file()
    named = None if given is None or root.exists() else named_study(str(given), results_root(None))
    if is_study or named:
        study, found = (root, "the folder of one study") if named is None else (named[0], f"one study: {named[0]}")
        fix = f"name the results folder that it lies in: {shown_command(*command, study.parent)}"
        raise wrong_argument(str(given or root), found, "a results folder, with studies in it", fix)


@contextlib.contextmanager
def _about_studies(given: Path | None, *command: str) -> Iterator[None]:
    """Say of a results folder that cannot be listed why, and what to give in place of a study."""
    try:
        yield
    except OSError as error:
        _require_no_study(given, *command)
        root = results_root(given)
        found = error.strerror or str(error) if root.is_dir() else found_in(root)
        raise wrong_argument(str(root), found, "a results folder", "check the path") from error


@commands.command(
    "clean",
    help="List what may be deleted from a results folder, with sizes; --yes moves it to a trash folder beside it, "
    "--purge deletes that trash. Running and resumable studies and best checkpoints are never touched, and studies of "
    "which a part is missing, or that were never started and hold files of yours, only with --force.",
)
@click.argument("results", required=False, type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Move what is listed without it to the trash.")
@click.option("--purge", is_flag=True, help="Delete what is in the trash for good.")
@click.option("--force", multiple=True, metavar="NAME", help="List this study too, as a whole.")
@json_option()
def _clean(results: Path | None, *, yes: bool, purge: bool, force: tuple[str, ...], as_json: bool) -> None:
    from automl.handoff.cleaning import MOVED_ELSEWHERE, discard, empty_trash, take_inventory

    root, moment = results_root(results), datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    with _about_studies(results, "clean"):
        inventory = take_inventory(root, force)
    if not inventory.studies:
        _require_no_study(results, "clean")
    why_kept = {item.path: discard(item, moment) for item in inventory.deletable if yes}
    freed = empty_trash(inventory) if purge else None
    if as_json:
        print_json(_inventory_document(inventory, why_kept, freed))
    else:
        _show_inventory(root, inventory, why_kept)
        _show_trash(root, inventory, freed, is_purged=purge)
    kept = sum(reason not in {"", MOVED_ELSEWHERE} for reason in why_kept.values())
    is_left = purge and bool(inventory.no_trash)
    if kept or is_left:
        raise _not_cleaned(root, inventory, kept, is_left=is_left)


def _inventory_document(inventory: Inventory, why_kept: dict[Path, str], freed: int | None) -> dict[str, object]:
    items = [
        {
            "path": str(item.path),
            "bytes": item.size,
            "why": item.why,
            "is_deleted": why_kept.get(item.path) == "",
            "why_kept": why_kept.get(item.path) or None,
        }
        for item in inventory.deletable
    ]
    no_trash = {str(path): what for path, what in inventory.no_trash.items()}
    trash = {"bytes": inventory.trash_size, "freed_bytes": freed or 0, "not_used": no_trash}
    return {"studies": inventory.studies, "deletable": items, "left_alone": inventory.left_alone, "trash": trash}


def _not_cleaned(root: Path, inventory: Inventory, kept: int, *, is_left: bool) -> AutomlError:
    """Return the error about what was asked for and not done; it is printed below what was done."""
    problems = [
        Problem(
            where=str(path),
            found=what,
            expected="a folder, which automl makes, or nothing",
            fix=f"move it away, then: {shown_command('clean', root, '--yes' if kept else '--purge')}",
        )
        for path, what in inventory.no_trash.items()
    ]
    not_moved = f"{kept} of {len(inventory.deletable)} could not be moved to the trash" if kept else ""
    not_purged = "what is in place of a trash was not deleted" if is_left else ""
    error = AutomlError("; ".join(filter(None, (not_moved, not_purged))), problems)
    error.is_printed = True
    return error


def _show_trash(root: Path, inventory: Inventory, freed: int | None, *, is_purged: bool) -> None:
    in_trash = inventory.trash_size
    if freed is not None:
        click.echo(f"the trash is deleted, {shown_bytes(freed)} freed")
    elif is_purged:
        click.echo("there is no trash to delete")
    elif in_trash:
        click.echo(f"the trash holds {shown_bytes(in_trash)}: {shown_command('clean', root, '--purge')} frees it")
    for path, what in inventory.no_trash.items():
        click.echo(f"not used as a trash, and left as it is: {path} is {what}, and no folder")


def _show_inventory(root: Path, inventory: Inventory, why_kept: dict[Path, str]) -> None:
    from automl.handoff.cleaning import MOVED_ELSEWHERE

    for item in inventory.deletable:
        states = {None: "", "": "moved    ", MOVED_ELSEWHERE: "gone     "}
        state = states.get(why_kept.get(item.path), "kept     ")
        reason = "; ".join(filter(None, (item.why, why_kept.get(item.path))))
        click.echo(f"{state}{shown_bytes(item.size):>9}  {one_line(str(item.path.relative_to(root)))}  ({reason})")
    for name, reason in inventory.left_alone.items():
        click.echo(f"not touched {name}: {reason}")
    listed = [item for item in inventory.deletable if not why_kept.get(item.path)]
    total = shown_bytes(sum(item.size for item in listed))
    if why_kept:
        click.echo(f"{len(listed)} moved to the trash, {total}")
    elif listed:
        click.echo(
            f"{len(listed)} could be deleted, {total}; nothing was: {shown_command('clean', root, '--yes')} moves them"
            " to a trash"
        )
    else:
        click.echo("nothing to delete" if inventory.studies else f"no study under {root}")


@commands.command(
    "ui",
    help="Open MLflow's comparison of a study: the named one, or the latest of a results folder [results/, "
    "AUTOML_RESULTS]. Starts a server on this machine where the record is a file.",
)
@click.argument("place", required=False, type=click.Path(path_type=Path), metavar="[RESULTS|STUDY]")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port on 127.0.0.1.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def _ui(place: Path | None, *, port: int, no_browser: bool) -> None:
    from automl.storage.paths import StudyPaths
    from automl.storage.plan_document import named_study, read_plan
    from automl.tracking.mlflow.server import check_servable, comparison_url, open_when_up, serve, server_url
    from automl.tracking.mlflow.uri import default_tracking_uri, sqlite_file

    named = None if place is None or place.exists() else named_study(str(place), results_root(None))
    root = results_root(place) if named is None else named[0]
    study = root if StudyPaths(root).plan_file.is_file() else _latest(root)
    plan = None if study is None else read_plan(StudyPaths(study))
    # The study may lie outside of its results folder, which has the record.
    results = root if study != root or plan is None else plan.results or root.parent
    uri = default_tracking_uri(results) if plan is None else plan.mlflow.tracking_uri
    is_file = sqlite_file(uri) is not None
    if is_file:
        check_servable(uri, port)
    server = server_url(port) if is_file else uri
    url = server if study is None else comparison_url(server, StudyPaths(study), uri)
    click.echo(f"MLflow for {results}: {server}{' (Ctrl-C ends it)' if is_file else ''}", err=True)
    if study is not None:
        click.echo(f"comparison of {study.name}: {url}", err=True)
    is_opened = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) and not no_browser
    if is_file:
        if is_opened:
            open_when_up(port, url)
        serve(results, port, tracking_uri=uri)
    elif is_opened:
        click.launch(url)


def _latest(results: Path) -> Path | None:
    """Return the latest study of a results folder whose plan can be read; None without one."""
    from automl.errors import ConfigurationError
    from automl.storage.overview import study_directories
    from automl.storage.paths import StudyPaths
    from automl.storage.plan_document import read_plan

    with contextlib.suppress(OSError):  # the check of the record says what is missing
        for study in reversed(study_directories(results)):
            with contextlib.suppress(ConfigurationError):
                read_plan(StudyPaths(study))
                return study
    return None


@commands.command("skill")
def _skill() -> None:
    """Print the SKILL.md by which a coding agent uses this tool."""
    click.echo(importlib.resources.files("automl").joinpath("skill.md").read_text(encoding="utf-8"), nl=False)
