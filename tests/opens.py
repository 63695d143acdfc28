"""Files are opened by `automl.regular_file`, `automl.storage.trainer_files` and `depth_net.regular_file`.

What is named by a user, or lies where a user or a trainer can put something, may be a named pipe: a plain ``open`` or
``read_text`` waits for it for ever. Plainly opened are only the files listed here, which nobody else can replace.

    python -m tests.opens     exit status 1 if a call is found, or an entry of the list is not needed
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parent.parent
_PACKAGES = ("automl", "depth_net")
_OPENERS = ("automl/regular_file.py", "automl/storage/trainer_files.py", "depth_net/regular_file.py")
_SUITES = "automl/testing/"
"""Suites that others run on their own code: what they read is a test's."""
_KERNEL, _PACKAGED = "a file of the kernel", "a file of an installed package"
ALLOWED: Mapping[str, str] = {
    "automl/cli/app.py: _open_closed_streams": "the null device",
    "automl/cli/app.py: _usable": "the null device",
    "automl/cli/init_commands.py: _schema_text": _PACKAGED,
    "automl/cli/mcp_server.py: _text": "in a temporary folder of this process",
    "automl/cli/mcp_server.py: start": "in a temporary folder of this process",
    "automl/cli/results_commands.py: _skill": _PACKAGED,
    "automl/cluster/slurm.py: slurm_script": _PACKAGED,
    "automl/executor/ray/agent.py: _end_processes_of": _KERNEL,
    "automl/executor/ray/session.py: _end_processes_of": _KERNEL,
    "automl/html_report/page.py: _library": _PACKAGED,
    "automl/launch/container_supervisor.py: _has_program": _KERNEL,
    "automl/launch/processes.py: has_tag": _KERNEL,
    "automl/launch/processes.py: read_process": _KERNEL,
    "automl/launch/control.py: open_log": "without waiting, and without following a link",
    "automl/launch/control.py: redirect": "the null device",
    "automl/preflight/probe.py: _text": _KERNEL,
    "automl/request/grammar.py: _document": _PACKAGED,
    "automl/storage/deletion.py: _opened": "folders",
    "automl/storage/deletion.py: _remove_deep": "folders",
    "automl/storage/held_study.py: _hold": "folders, and not for reading",
    "automl/tracking/mlflow/earlier_runs.py: __enter__": "no file but a store",
    "automl/tracking/mlflow/new_store.py: _make_whole": "just made",
    "automl/trial/resource_usage.py: _cpu_s": _KERNEL,
    "automl/trial/resource_usage.py: _memory_kib": _KERNEL,
    "depth_net/actions/demo_data.py: _locked": "in a folder of its own",
    "depth_net/cli.py: _convert_preset": "just written",
    "depth_net/data/decoded_store.py: _room": _KERNEL,
    "depth_net/data/file_stamps.py: _digest_of_code": _PACKAGED,
    "depth_net/status.py: write": "in a folder of its own",
}
_READS = frozenset({"read_text", "read_bytes"})
_MODES = frozenset("rwaxbt+")


def calls(name: str, text: str) -> Iterator[tuple[str, int]]:
    """Yield where a module opens a file plainly, as ``file: function``, with the line."""
    yield from _calls(ast.parse(text), name, "the module")


def _calls(node: ast.AST, name: str, function: str) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            yield from _calls(child, name, child.name)
            continue
        if isinstance(child, ast.Call) and _opens(child):
            yield f"{name}: {function}", child.lineno
        yield from _calls(child, name, function)


def _opens(call: ast.Call) -> bool:
    """Tell whether a call opens a file: ``open`` of Python, ``os.open``, and those of a path."""
    match call.func:
        case ast.Name(id="open") | ast.Attribute(value=ast.Name(id="os" | "io"), attr="open"):
            return True
        case ast.Attribute(attr=attr) if attr in _READS:
            return True
        case ast.Attribute(attr="open"):
            if not call.args and not call.keywords:
                return True
            mode = call.args[0] if call.args else None
            is_mode = isinstance(mode, ast.Constant) and isinstance(mode.value, str) and {*mode.value} <= _MODES
            return is_mode or any(keyword.arg in {"mode", "encoding"} for keyword in call.keywords)
        case _:
            return False


def found() -> list[tuple[str, int]]:
    """Return every plain call of the packages."""
    files = [file for package in _PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    names = [(file, file.relative_to(ROOT).as_posix()) for file in files]
    return [
        call
        for file, name in names
        if name not in _OPENERS and not name.startswith(_SUITES)
        for call in calls(name, file.read_text(encoding="utf-8"))
    ]


def main() -> int:
    """Check, print what was found, and return the exit status."""
    plain = found()
    wrong = [f"{place.replace(':', f':{line}:')} opens a file plainly" for place, line in plain if place not in ALLOWED]
    wrong += [f"{place} opens no file plainly: take it off the list" for place in {*ALLOWED} - {p for p, _ in plain}]
    for text in wrong:
        sys.stdout.write(f"{text}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
