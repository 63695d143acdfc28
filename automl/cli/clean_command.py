"""`automl clean`: what may be deleted from a results folder, and deleting it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from automl.cli.options import results_root, unreadable_results

if TYPE_CHECKING:
    from automl.handoff.cleaning import Inventory

_UNITS = ("B", "kB", "MB", "GB")
_STEP = 1000


@click.command(
    "clean",
    help="List what may be deleted from a results folder, with sizes; --yes deletes it. Running and resumable studies, "
    "and best checkpoints are never deleted.",
)
@click.argument("results", required=False, type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Delete what is listed without it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else there.")
def command(results: Path | None, *, yes: bool, as_json: bool) -> None:
    """List, and delete only with ``--yes``."""
    from automl.handoff.cleaning import delete, take_inventory  # noqa: PLC0415 - imported when called

    root = results_root(results)
    try:
        inventory = take_inventory(root)
    except OSError as error:
        raise unreadable_results(root, error) from error
    gone = {item.path for item in inventory.deletable if yes and delete(item)}
    if as_json:
        items = [
            {"path": str(item.path), "bytes": item.size, "why": item.why, "is_deleted": item.path in gone}
            for item in inventory.deletable
        ]
        click.echo(json.dumps({"deletable": items, "left_alone": inventory.left_alone}, indent=2))
        return
    _show(root, inventory, gone, is_deleted=yes)


def format_size(size: int) -> str:
    """Return bytes for people: ``12 B``, ``3.4 MB``."""
    amount = float(size)
    for unit in _UNITS:
        if amount < _STEP or unit == _UNITS[-1]:
            break
        amount /= _STEP
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def _show(root: Path, inventory: Inventory, gone: set[Path], *, is_deleted: bool) -> None:
    for item in inventory.deletable:
        state = "" if not is_deleted else "deleted  " if item.path in gone else "kept     "
        click.echo(f"{state}{format_size(item.size):>9}  {item.path.relative_to(root)}  ({item.why})")
    for name, reason in inventory.left_alone.items():
        click.echo(f"not touched {name}: {reason}")
    listed = [item for item in inventory.deletable if not is_deleted or item.path in gone]
    total = format_size(sum(item.size for item in listed))
    if is_deleted:
        click.echo(f"{len(listed)} deleted, {total}")
    elif listed:
        click.echo(f"{len(listed)} could be deleted, {total}; nothing was: automl clean {root} --yes deletes them")
    else:
        click.echo("nothing to delete")
