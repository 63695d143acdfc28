"""Drive `automl` as a person does: a process of its own, its exit status and what it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT_S = 240


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


def automl(*arguments: str, results: Path) -> Done:
    environment = {**os.environ, "AUTOML_RESULTS": str(results), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "automl.cli.app", *arguments],
        env=environment,
        cwd=results,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    return Done(status=done.returncode, out=done.stdout, err=done.stderr)


def studies(results: Path) -> list[str]:
    """Return the names of the study directories, ended or not."""
    return sorted(entry.name for entry in results.iterdir() if (entry / "plan.json").exists())
