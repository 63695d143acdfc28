"""That what is measured is the product: our samplers run in the benchmark as in a study."""

from __future__ import annotations

import pytest

from automl.space.parameters import Parameter, ParameterType
from automl.space.search_space import SearchSpace
from benchmarks.search.methods import make_method

SPACE = SearchSpace(
    parameters=(Parameter(path="x", type=ParameterType.FLOAT, low=0.0, high=1.0, default=0.5),), fixed={}
)


@pytest.mark.parametrize("name", ["ours:auto", "ours:gp", "ours:tpe", "ours:random", "ours:penalised"])
def test_a_method_of_ours_begins_with_the_template_and_goes_on_after_each_end(name: str) -> None:
    method = make_method(name, SPACE, 0, [])
    tried = []
    for number in range(4):
        handle, assignment = method.ask()
        method.observe(handle, 0, assignment["x"])
        method.tell(handle, None if number == 1 else assignment["x"], is_stopped=number == 2)
        tried.append(assignment["x"])

    assert tried[0] == 0.5
    assert len(set(tried)) == 4
