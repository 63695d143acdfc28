"""The reference pages name what the program has: names that a command lists, fields of documents, variables."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from automl.cli.app import COMMANDS, run_command_line
from tests.docs.pages import ROOT
from tests.docs.reference import (
    commands_page,
    depth_net_page,
    events_page,
    exit_statuses_page,
    schema_page,
    study_directory_page,
)

if TYPE_CHECKING:
    from pathlib import Path

REFERENCE = ROOT / "docs/reference"


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> set[str]:
    """Return the names that the error of a wrong name lists."""
    status = run_command_line(["plan", "toy/quick", "--json", *arguments])
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert status == 2
    return set(problems[0]["expected"].removeprefix("one of ").split(", "))


@pytest.mark.parametrize(
    "arguments", [["--sampler", "none-such"], ["--scheduler", "none-such"], ["--option", "none=1"]]
)
def test_every_sampler_scheduler_and_option_has_a_row(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    page = (REFERENCE / "samplers_and_schedulers.md").read_text(encoding="utf-8")

    names = refused(arguments, capsys)

    assert len(names) > 5
    assert {name for name in names if f"| `{name}` |" not in page} == set()


def test_every_variable_that_the_code_names_is_on_its_page() -> None:
    page = (REFERENCE / "environment.md").read_text(encoding="utf-8")
    internal = {"AUTOML_WRITER_TRACKING_URI", "AUTOML_LLM_"}
    code = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "automl").rglob("*.py"))

    named = set(re.findall(r"\"(AUTOML_[A-Z_]+)\"", code)) - internal

    assert named
    assert {name for name in named if name not in page} == set()


def test_every_command_has_a_section() -> None:
    page = commands_page()

    assert [name for name in COMMANDS if f"\n## automl {name}\n" not in page] == []
    assert "| `--trials N` |" in page


def test_every_key_of_a_study_file_has_a_meaning() -> None:
    page = schema_page("study.schema.json", "Study file", "")

    rows = [line for line in page.splitlines() if line.startswith("| `")]

    assert len(rows) > 40
    assert [row for row in rows if row.endswith("|  |")] == []


def test_the_page_of_events_has_the_fields_of_every_event() -> None:
    page = events_page()

    assert "## trial_ended" in page
    assert "| `nonfinite` |" in page
    assert "| `metric_missing` |" in page


def test_the_page_of_the_study_directory_names_its_files() -> None:
    page = study_directory_page()

    assert "| `plan.json` |" in page
    assert "| `trials/0007/result.json` |" in page


def test_the_keys_of_a_depth_spec_have_default_range_and_actions() -> None:
    page = depth_net_page()

    assert "## train.optim\n" in page
    assert "| `lr` | `0.0001` | float 1e-06 .. 0.01 |" in page


def test_every_exit_status_is_listed_once() -> None:
    statuses = re.findall(r"^\| (\d+) \|", exit_statuses_page(), flags=re.MULTILINE)

    assert statuses == ["0", "1", "2", "3", "4", "5", "6", "130"]


def test_the_table_of_launchers_has_the_names_of_tests() -> None:
    text = (REFERENCE / "launchers.md").read_text(encoding="utf-8")
    table = text.partition("<!-- conformance: begin -->")[2].partition("<!-- conformance: end -->")[0]
    files = [*(ROOT / "tests/contracts").glob("*.py"), ROOT / "automl/testing/launchers.py"]
    suites = "\n".join(file.read_text(encoding="utf-8") for file in files)

    rows = re.findall(r"^\| ([a-z][^|]*) \|", table, flags=re.MULTILINE)

    assert len(rows) > 20
    assert [row for row in rows if f"def test_{row.replace(' ', '_')}(" not in suites] == []
