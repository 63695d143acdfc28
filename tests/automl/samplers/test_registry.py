from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.samplers.registry import SAMPLERS, asks_language_model, check_sampler, make_searcher
from automl.samplers.searcher import starting_points
from automl.schedulers.registry import SCHEDULERS
from automl.study.causes import Origin, OriginKind
from automl.testing.samplers import SearcherContract
from automl.testing.studies import MIXED, plan_of

if TYPE_CHECKING:
    from collections.abc import Iterable


def test_every_sampler_has_a_suite() -> None:
    from tests.automl.samplers import test_searcher  # noqa: PLC0415 - its classes must not be collected here

    suites = {
        suite.sampler
        for suite in vars(test_searcher).values()
        if isinstance(suite, type(SearcherContract))
        and issubclass(suite, SearcherContract)
        and suite is not SearcherContract
    }

    assert suites == set(SAMPLERS)


def test_an_unknown_sampler_is_an_error_with_a_suggestion(tmp_path: Path) -> None:
    (problem,) = check_sampler("cma-es")

    assert problem.fix == "did you mean cmaes?"
    with pytest.raises(ConfigurationError, match="1 problem in the study"):
        make_searcher(plan_of("cma-es"))
    assert not (tmp_path / "journal.log").exists()


def test_the_names_of_samplers_and_rules_are_known_without_heavy_libraries() -> None:
    code = (
        "import sys, automl.samplers.registry, automl.schedulers.registry\n"
        "print([m for m in ('optuna', 'numpy', 'scipy', 'torch') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("key", "names"), [("sampler", SAMPLERS), ("scheduler", SCHEDULERS)])
def test_the_schema_of_study_files_lists_the_names(key: str, names: Iterable[str]) -> None:
    schema = json.loads(Path("schemas/study.schema.json").read_text(encoding="utf-8"))

    default, *others, last = names

    assert schema["properties"][key]["description"].endswith(f": {default} (default), {', '.join(others)} or {last}.")


def test_a_sampler_without_a_language_model_ignores_the_options_for_it() -> None:
    assert check_sampler("tpe", {"llm_starts": 3}) == ()
    assert not asks_language_model(dataclasses.replace(plan_of("tpe"), options={"llm_starts": 3}))


def test_the_template_comes_first_then_the_plans_points_with_their_origins() -> None:
    base = MIXED.default_assignment()
    plan = plan_of("auto", first_trials=(base, {**base, "lr": 0.5}, {**base, "lr": 0.1}))
    there = Origin(OriginKind.EARLIER_STUDY, parent=3, study="before", detail="accuracy 0.7")

    candidates = starting_points(
        dataclasses.replace(plan, first_origins=(Origin(OriginKind.TEMPLATE), Origin(OriginKind.GIVEN), there))
    )

    assert [(str(d.origin), d.assignment["lr"]) for d in candidates] == [
        ("template", 3.0),
        ("given", 0.5),
        ("earlier study before, trial 3 (accuracy 0.7)", 0.1),
    ]


def test_earlier_points_are_moved_into_the_space_and_not_repeated() -> None:
    base = MIXED.default_assignment()

    candidates = starting_points(plan_of("auto", first_trials=(base, {**base, "lr": 40.0}, {**base, "lr": 50.0})))

    assert [d.assignment["lr"] for d in candidates] == [3.0, 1.0]
