"""Drive `automl` as a person does: a process of its own, its exit status and what it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_TIMEOUT_S = 800
"""Ends what hangs in a slow test; of the others pytest's own limit is shorter."""

# What `automl` imports takes longer than what it does with a small study.
_IN_TURN = """
import contextlib, io, json, os, sys
from automl.cli.app import run_command_line
done = {}
for name, arguments in json.load(sys.stdin).items():
    os.environ["AUTOML_RESULTS"] = os.path.join(os.getcwd(), name)
    os.mkdir(name)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run_command_line(arguments)
    done[name] = {"status": status, "out": out.getvalue(), "err": err.getvalue()}
json.dump(done, open("done.json", "w"))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A finished command."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document


def automl(*arguments: str, results: Path, extra: Mapping[str, str] | None = None) -> Done:
    environment = {**os.environ, "AUTOML_RESULTS": str(results), "OMP_NUM_THREADS": "1", **(extra or {})}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "automl.cli.app", *arguments],
        env=environment,
        cwd=results,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    return Done(status=done.returncode, out=done.stdout, err=done.stderr)


def automl_in_turn(commands: Mapping[str, Sequence[str]], *, results: Path) -> dict[str, Done]:
    """Run several commands one after the other in one process, each with a results folder of its own name."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", _IN_TURN],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=results,
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S * len(commands),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name: Done(**one) for name, one in json.loads((results / "done.json").read_text("utf-8")).items()}


def studies(results: Path) -> list[str]:
    """Return the names of the study directories, ended or not."""
    return sorted(entry.name for entry in results.iterdir() if (entry / "plan.json").exists())
