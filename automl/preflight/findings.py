"""The result of a check: one row of the doctor's table, with its level and the fix."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from automl.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable


class Level(StrEnum):
    """What a finding means for a run."""

    OK = "ok"
    WARN = "warn"
    """The run works; slower, or not as the user may expect."""
    FAIL = "fail"
    """The run cannot succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One row.

    Attributes:
        check: What was checked, one or two words.
        level: What it means.
        found: What is there.
        fix: What to do; empty for ok.
        expected: What would be accepted; empty where ``fix`` says it.
        where: The node, where it is not this machine.
    """

    check: str
    level: Level
    found: str
    fix: str = ""
    expected: str = ""
    where: str = ""

    def problem(self) -> Problem:
        """Return the finding as a problem of a configuration error."""
        where = f"{self.check} on {self.where}" if self.where else self.check
        return Problem(where=where, found=self.found, expected=self.expected or "see the fix", fix=self.fix)

    def document(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**dataclasses.asdict(self), "level": self.level.value}


def good(check: str, found: str) -> Finding:
    """Return a row that needs no attention."""
    return Finding(check=check, level=Level.OK, found=found)


def doubt(check: str, found: str, *, fix: str, expected: str = "") -> Finding:
    """Return a row that does not stop a run."""
    return Finding(check=check, level=Level.WARN, found=found, fix=fix, expected=expected)


def bad(check: str, found: str, *, fix: str, expected: str = "") -> Finding:
    """Return a row that stops a run."""
    return Finding(check=check, level=Level.FAIL, found=found, fix=fix, expected=expected)


def from_problem(problem: Problem) -> Finding:
    """Return the row of a problem that another part of the program has found; it stops a run."""
    return bad(problem.where, problem.found, expected=problem.expected, fix=problem.fix)


def failures(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the rows that stop a run."""
    return tuple(finding for finding in findings if finding.level is Level.FAIL)
