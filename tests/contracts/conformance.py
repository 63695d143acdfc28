"""Which launcher passes which test of the suites, as a table in docs/reference/launchers.md.

``python -m tests.contracts.conformance`` runs the suites, less the longest test (hundreds of kills), and rewrites it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/reference/launchers.md"
BEGIN, END = "<!-- conformance: begin -->", "<!-- conformance: end -->"
FILES = (
    *(f"tests/automl/launch/test_{name}.py" for name in ("local", "container", "apptainer")),
    "tests/test_scripted_launcher.py",
)
_CLASS = re.compile(r"Test(\w+)Launcher$")
_COLUMNS = ("local", "warm", "docker", "podman", "apptainer", "scripted")
_MARKS = {"passed": "yes", "failed": "**no**", "skipped": "not run"}


def outcomes(report: Path) -> dict[str, dict[str, str]]:
    """Return test -> launcher -> passed, failed or skipped, from a JUnit report."""
    found: dict[str, dict[str, str]] = {}
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 # written by our own pytest
        launcher = _CLASS.search(case.get("classname", ""))
        if launcher is None:
            continue
        sentence = case.get("name", "").partition("[")[0].removeprefix("test_").replace("_", " ")
        row = found.setdefault(sentence, {})
        outcome = next((mark for tag, mark in _OUTCOMES.items() if case.find(tag) is not None), "passed")
        name = launcher[1].lower()
        row[name] = outcome if row.get(name, "passed") == "passed" else row[name]
    return found


_OUTCOMES = {"failure": "failed", "error": "failed", "skipped": "skipped"}


def table(found: dict[str, dict[str, str]]) -> str:
    """Return the table of the tests that launchers share: what most of them have in common first."""
    lines = [f"| | {' | '.join(_COLUMNS)} |", f"|---|{'---|' * len(_COLUMNS)}"]
    shared = {sentence: row for sentence, row in found.items() if len(row) > 1}
    for sentence, row in sorted(shared.items(), key=lambda item: -len(item[1])):
        cells = (_MARKS[row[name]] if name in row else "" for name in _COLUMNS)
        lines.append(f"| {sentence} | {' | '.join(cells)} |")
    return "\n".join(lines)


def with_table(document: str, text: str) -> str:
    """Return the document with the table between its marks replaced."""
    before, _, rest = document.partition(BEGIN)
    return f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}"


def main() -> int:
    """Run the suites and rewrite the table; return pytest's exit status."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-k",
            "Launcher and not hundreds",
            f"--junitxml={report}",
            *FILES,
        ]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        DOCUMENT.write_text(with_table(DOCUMENT.read_text(encoding="utf-8"), table(outcomes(report))), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
