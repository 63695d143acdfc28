from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from automl.errors import ConfigurationError
from automl.samplers.factory import SAMPLERS, check_sampler, make_searcher
from tests.contracts.searcher import SearcherContract
from tests.contracts.studies import plan_of

if TYPE_CHECKING:
    from pathlib import Path


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
        "import sys, automl.samplers.factory, automl.schedulers.factory\n"
        "print([m for m in ('optuna', 'numpy', 'scipy', 'torch') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
