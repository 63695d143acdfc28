"""A problem or a doubt about a run, and how to fix it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What a finding means for a run."""

    ERROR = "error"
    """Training would fail, or have no effect."""
    WARNING = "warning"
    """Training works; the result may not be what is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One problem or doubt, and how to fix it."""

    severity: Severity
    where: str
    found: str
    expected: str
    fix: str

    def __str__(self) -> str:
        heading = f"{self.severity}: {self.where}"
        return f"{heading}\n  found     {self.found}\n  expected  {self.expected}\n  fix       {self.fix}"


def bad(where: str, found: str, expected: str, fix: str) -> Finding:
    """Return what prevents a run."""
    return Finding(severity=Severity.ERROR, where=where, found=found, expected=expected, fix=fix)


def doubt(where: str, found: str, expected: str, fix: str) -> Finding:
    """Return what a run should be looked at for."""
    return Finding(severity=Severity.WARNING, where=where, found=found, expected=expected, fix=fix)
