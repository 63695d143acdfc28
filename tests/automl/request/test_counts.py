"""The largest counts: the same in options, study files and the text of a request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import pytest

from automl.cli.app import cli, run_command_line
from automl.errors import ConfigurationError
from automl.request.apply_text import apply_request_text
from automl.request.counts import MOST
from automl.request.model_reading import VALUES
from automl.request.study_request import StudyRequest, load_study_request
from automl.resources import packaged
from tests.automl.study.examples import SKILL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPTIONS = ("replicate_seeds",)
BEYOND = 10**400


def ranges(command: click.Command) -> Iterator[tuple[str, Any]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from ranges(command.get_command(context, name) or command)
    for parameter in command.params:
        if isinstance(parameter.type, click.IntRange | click.FloatRange):
            yield parameter.name or "", parameter.type


def limits(schema: Any) -> Iterator[tuple[str, int]]:  # noqa: ANN401 # a JSON Schema
    for name, rules in schema.get("properties", {}).items():
        for branch in (rules, *rules.get("oneOf", ())):
            if "maximum" in branch:
                yield name, branch["maximum"]
        yield from limits(rules)


def test_study_files_have_the_same_limits() -> None:
    schema = json.loads((packaged("schemas") / "study.schema.json").read_text(encoding="utf-8"))

    assert dict(limits(schema)) == {name: most for name, most in MOST.items() if name not in OPTIONS}


def test_options_and_readings_of_a_language_model_have_the_same_limits() -> None:
    of_options = {name: kind.max for name, kind in ranges(cli) if name in MOST}

    assert of_options == {name: MOST[name] for name in ("trials", "patience_trials", "jobs", "gpus_per_trial", "seed")}
    assert {name: rules["maximum"] for name, rules in VALUES.items() if name in MOST and "maximum" in rules} == {
        name: most for name, most in MOST.items() if name in VALUES
    }


def test_every_count_of_a_cluster_has_a_limit() -> None:
    names = ("nodes", "gpus_per_node", "cpus_per_node")
    found = [(name, kind.max) for name, kind in ranges(cli) if name in names]

    assert {name for name, _ in found} == set(names)
    assert {most for _, most in found} == {10_000}


@pytest.mark.parametrize("option", ["--trials", "--patience", "--jobs", "--replicates", "--seed", "--gpus-per-trial"])
def test_an_option_beyond_its_limit_is_one_sentence(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["plan", "toy/quick", option, "1" + 400 * "0"]) == 2

    assert option in (said := capsys.readouterr().err)
    assert "Traceback" not in said


@pytest.mark.parametrize("key", ["budget: {trials: %d}", "resources: {nodes_per_trial: %d}", "replicates: %d"])
def test_a_study_file_beyond_a_limit_is_refused_with_the_limit(tmp_path: Path, key: str) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(f"skill: toy\n{key % 10**9}\n", encoding="utf-8")

    with pytest.raises(ConfigurationError) as caught:
        load_study_request(str(file))

    (problem,) = caught.value.problems
    assert (problem.found, "a whole number from" in problem.expected) == ("1000000000", True)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1000000000 trials", "trials 1,000,000,000"),
        ("20 trials, 20000 parallel", "jobs 20,000"),
        ("20 trials, seed 9007199254740993", "seed 9,007,199,254,740,992"),
        ("20 trials, 100000 GPUs per trial", "gpus per trial 100,000"),
        ("20 trials, 20000 GPUs", "jobs 20,000"),
    ],
)
def test_a_number_of_a_text_beyond_its_limit_is_refused(text: str, found: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        apply_request_text(StudyRequest(skill="toy", name="x", request_text=text), SKILL)

    (problem,) = caught.value.problems
    assert (problem.where, problem.found) == ("--request", found)


@pytest.mark.parametrize("text", ["%d trials", "%d hours", "%d GPU hours", "%d GPUs", "%d seconds per trial"])
def test_digits_that_no_float_holds_are_not_read(text: str) -> None:
    request = StudyRequest(skill="toy", name="x", request_text=text % BEYOND)

    applied, parsed, _ = apply_request_text(request, SKILL)

    assert applied == request.with_settings(overrides={}, data={})
    assert parsed.questions
