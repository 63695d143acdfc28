"""Let the trainer check its data: `depth_net check` reads units, valid pixels and batch counts.

It runs as a child process with the spec of trial 0. Other trainers have no such command.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import LaunchError
from automl.launch.command import build_command, example_command, find_program
from automl.launch.extras import missing_extra
from automl.preflight.findings import Finding, bad, doubt, good
from automl.spec.data import has_place, map_data
from automl.spec.write import write_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.study.model import StudyPlan

DEPTH_DATA = "depth data"
"""Each row of the check begins so."""
_LIMIT_S = 8.0
_HEADING = re.compile(r"^(error|warning): ", re.MULTILINE)
_FIELD = re.compile(r"^  (found|expected|fix) {2,7}(?=\S)", re.MULTILINE)
_PLACE = re.compile(r"^(?=\S.*\n  found {2,7}\S)", re.MULTILINE)
_SUMMARY = re.compile(r"\d+ findings, \d+ of them errors")


def check_depth_data(plan: StudyPlan, *, is_made: bool = True, test: str | None = None) -> list[Finding]:
    """Return the rows of `depth_net check` for the plan's spec; none for other trainers, or if it is not installed.

    Data that the run makes before its first trial may not be there yet; then all but them is checked. ``test`` are
    test data for the evaluation after the study, which are compared with those of the training.
    """
    action = plan.skill.actions[plan.action]
    command, check = example_command(action.command), plan.skill.architecture.data_check
    if check is None or Path(command[0]).name != build_command(check, Path("spec"))[0]:
        return []
    try:
        program = find_program(command[0])
    except LaunchError:
        return []
    if missing_extra(program.name) is not None:  # said by the row of the program
        return []
    options = () if is_made else ("--no-data",)
    with tempfile.TemporaryDirectory(prefix="automl-check-") as folder:
        file = Path(folder) / f"spec.{action.config_format.value}"
        outputs = {slot.key: folder for slot in action.outputs}
        write_spec(plan.spec.with_values(outputs, origin="output"), action.config_format, file)
        try:
            done = subprocess.run(  # noqa: S603 - the trainer's own program, with our spec
                [str(program), *build_command(check, file)[1:], *_test_data(plan, test), *options],
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            fix = f"{shlex.quote(command[0])} check -e SPEC checks all of it"
            return [doubt(DEPTH_DATA, f"not checked: it takes more than {_LIMIT_S:g} s", fix=fix)]
        except OSError as error:
            return [doubt(DEPTH_DATA, f"not checked: {error}", fix=f"{shlex.quote(command[0])} check -e SPEC")]
    pending = [] if is_made else [good(f"{DEPTH_DATA}: dataset", "made before the first trial, and checked then")]
    return [*pending, *read_check(done.stdout, done.stderr)]


def _test_data(plan: StudyPlan, test: str | None) -> list[str]:
    if test is None or not has_place(plan.skill, "evaluate", "test"):
        return []
    mapped = map_data(plan.skill, plan.skill.actions["evaluate"], plan.spec, {"test": test})
    return [f"{key}={value}" for key, value in mapped.items() if value]


def read_check(out: str, err: str = "") -> list[Finding]:
    """Return the rows of what `depth_net check` printed: what it has read, then what it has found.

    A check that ended before its summary has a row for each problem that it names, else one with its last line:
    training would end in the same way, unless the trainer is older than the check.
    """
    lines = out.splitlines()
    if not lines or not _SUMMARY.fullmatch(lines[-1]):
        if named := list(_blocks(_PLACE.sub("error: ", out + err))):
            return named
        last = next((line for line in reversed((out + err).splitlines()) if line.strip()), "it printed nothing")
        row = doubt if "invalid choice" in last else bad
        return [row(DEPTH_DATA, f"not checked: {last.strip()[:200]}", fix="depth_net check -e SPEC shows all of it")]
    facts = [
        good(f"{DEPTH_DATA}: {where}", " ".join(fact.split()))
        for where, _, fact in (line.partition("  ") for line in takewhile(_is_fact, lines[:-1]))
    ]
    found = [*facts, *_blocks("\n".join(lines[:-1]))]
    return found or [good(DEPTH_DATA, "no problem found")]


def _is_fact(line: str) -> bool:
    return not line.startswith(("error: ", "warning: ", "notice: "))


def _blocks(text: str) -> Iterator[Finding]:
    # A block is a heading, then fields whose text may run over several lines.
    _, *blocks = _HEADING.split(text)
    for level, block in zip(blocks[::2], blocks[1::2], strict=True):
        heading, *pieces = _FIELD.split(block)
        fields = {
            name: "; ".join(line.strip() for line in words.splitlines() if line.strip())
            for name, words in zip(pieces[::2], pieces[1::2], strict=True)
        }
        found, expected, fix = (fields.get(name, "") for name in ("found", "expected", "fix"))
        row = bad if level == "error" else doubt
        where = heading.partition("\n")[0]
        yield row(f"{DEPTH_DATA}: {where}", found, expected=expected, fix=fix)
