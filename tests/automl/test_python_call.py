"""A call in Python as a study: tuples, and the arguments that problems name."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import automl
from automl.errors import ConfigurationError
from automl.python_call import document_of
from automl.request.location import RunLocation
from automl.request.study_request import request_of_document
from automl.run import make_plan

if TYPE_CHECKING:
    from automl.space.parameters import Parameter

OBJECTIVE = "loss minimize"


def tune(folder: Path, search: dict[str, Any], **settings: Any) -> automl.Study:  # noqa: ANN401 # as a user may
    (folder / "train.py").write_text("# takes --x\n", encoding="utf-8")
    return automl.Study(
        program="python train.py --x {x}", search=search, objective=OBJECTIVE, folder=folder, **settings
    )


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0.0, 1.0), "0.0..1.0"),
        ((16, 32), "16..32"),
        ((1e-5, 0.1), "1e-05..0.1"),
        ((1 / 3, 1.0), "0.3333333333333333..1.0"),
        ((-1.5, 2), "-1.5..2"),
        ((np.float32(0.5), np.int64(2)), "0.5..2"),
        ((np.float64(0.1), np.float64(0.3)), "0.1..0.3"),
    ],
)
def test_a_tuple_of_two_numbers_is_a_range_with_every_digit(values: tuple[float, float], text: str) -> None:
    assert document_of({"x": values}, {})["search"] == {"x": text}
    assert document_of({"x": {"range": values, "scale": "log"}}, {})["search"] == {"x": {"range": text, "scale": "log"}}


def test_a_range_of_a_tuple_is_that_of_its_text_and_a_list_stays_options(tmp_path: Path) -> None:
    ranged, text, options = (tune(tmp_path, {"x": x}).plan()["space"] for x in ((0.5, 2.0), "0.5..2.0", [0.5, 2.0]))

    assert ranged == text
    (parameter,) = options["parameters"]
    assert (parameter["choices"], parameter["low"]) == ([0.5, 2.0], None)


@pytest.mark.parametrize(
    "values", [("a", "b"), (0, 1, 2), (1,), (), (False, True), (0.0, float("nan")), (0, None), ((0, 1), 2)]
)
def test_another_tuple_is_refused_at_its_argument(tmp_path: Path, values: tuple[object, ...]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        tune(tmp_path, {"x": values, "y": {"range": values}})

    assert [problem.where for problem in caught.value.problems] == ['search["x"]', 'search["y"]["range"]']
    assert f"options are a list: {list(values)!r}" in str(caught.value)


class Kind(StrEnum):
    FAST = "fast"


def test_objects_that_a_trial_would_not_get_are_refused_each_with_what_to_write(tmp_path: Path) -> None:
    thing = object()

    with pytest.raises(ConfigurationError) as caught:
        tune(
            tmp_path,
            {"kind": [Kind.FAST, [1]], "y": {"options": [1, thing]}},
            set={"z": {"deep": [Kind.FAST]}, "k": {1: 2}},
        )

    where = [problem.where for problem in caught.value.problems]
    searched = ['search["kind"][0]', 'search["kind"][1]', 'search["y"]["options"][1]']
    assert where == [*searched, "set[\"z\"]['deep'][0]", 'set["k"]']
    assert caught.value.problems[0].fix == "give its name, 'FAST', and write Kind[kind] in the function"
    assert caught.value.problems[2].found == repr(thing)


@pytest.mark.parametrize(
    ("search", "settings", "where"),
    [
        ({"x": 3}, {}, ['search["x"]']),
        ({"x": (1.0, 0.0)}, {}, ['search["x"]']),
        ({"x": [1, [2]]}, {}, ['search["x"][1]']),
        ({"a.b": {"rng": 1}}, {}, ['search["a.b"]["rng"]', 'search["a.b"]']),
        ({"x": (0, 1)}, {"budget": {"trails": 3}}, ['budget["trails"]']),
        ({"x": (0, 1)}, {"sampler": "foo"}, ["sampler"]),
        ({"x": (0, 1)}, {"options": {"foo": 3}}, ['options["foo"]']),
        ({"x": (0, 1)}, {"resources": {"gpus_per_trial": 64}}, ['resources["gpus_per_trial"]']),
        ({"x": (0, 1)}, {"measure": 1}, ["measure"]),
        ({"x": (0, 1)}, {"jobs": 2}, ["jobs"]),
    ],
)
def test_problems_name_the_arguments_of_the_call(
    tmp_path: Path, search: dict[str, Any], settings: dict[str, Any], where: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        tune(tmp_path, search, **settings).plan()

    assert list(dict.fromkeys(problem.where for problem in caught.value.problems)) == where
    assert str(tmp_path / "study") not in str(caught.value)


def test_tuples_and_paths_of_other_arguments_are_those_of_a_study_file() -> None:
    settings = {"constraints": ("memory_gib <= 40",), "set": {"sizes": (1, 2)}, "studies": [Path("a")]}

    assert document_of({}, settings) == {
        "constraints": ["memory_gib <= 40"],
        "set": {"sizes": [1, 2]},
        "studies": ["a"],
        "search": {},
    }


def test_an_option_of_a_block_is_sent_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        tune(tmp_path, {"x": (0, 1)}, jobs=2)

    assert [problem.fix for problem in caught.value.problems] == ["write it below resources"]


@pytest.mark.parametrize("key", ["program", "report", "folder"])
def test_what_belongs_to_a_program_is_refused_of_a_function(tmp_path: Path, key: str) -> None:
    foreign: dict[str, Any] = {key: "a"}

    with pytest.raises(ConfigurationError, match=f"{key}\n.*\n.*that belongs to a program"):
        automl.tune(lambda x=0.5: x, {"x": (0.0, 1.0)}, OBJECTIVE, results=tmp_path, **foreign)


@pytest.mark.slow
def test_a_function_is_tuned_over_a_tuple(tmp_path: Path) -> None:
    def loss(x: float = 0.5) -> float:
        return x

    study = automl.tune(loss, {"x": (0.0, 1.0)}, OBJECTIVE, trials=2, results=tmp_path, is_shown=False)

    assert all(study.trials_dataframe()["x"].between(0.0, 1.0))


def space_of(folder: Path, search: dict[str, Any], **program: Any) -> tuple[Parameter, ...]:  # noqa: ANN401 # as a user may
    settings = {"program": "python train.py --{overrides}", "objective": OBJECTIVE}
    (folder / "train.py").write_text("# takes --x\n", encoding="utf-8")
    request = request_of_document(folder / "study", document_of(search, settings))
    request = request.with_settings(program={**(request.program or {}), **program})
    return make_plan(request, RunLocation(results=folder / "results")).space.parameters


@pytest.mark.parametrize(
    "options",
    [
        [" a", "b"],
        ["a", " "],
        ["a", "a "],
        ["\t", "a"],
        [" ", ""],
        ["a\nb", "c"],
        ["\x85a", "\u2028"],
        ["a when b=1", "c and d=2"],
        ["a,b", "c"],
        ['"q"', '"', "it's"],
        ["a\\b", "{c}", "[d]", "# e", "1..2", "x elastic"],
    ],
)
def test_texts_are_options_exactly_as_they_are_given(tmp_path: Path, options: list[str]) -> None:
    assert space_of(tmp_path, {"x": options})[0].choices == tuple(options)


def test_numbers_of_a_library_are_options(tmp_path: Path) -> None:
    assert space_of(tmp_path, {"x": [np.int64(16), np.float32(0.5), True]})[0].choices == (16, 0.5, True)


def test_an_option_that_no_file_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="options that cannot be read"):
        space_of(tmp_path, {"x": ["\ud800", "a"]})


def test_a_condition_may_name_a_text_with_words_of_conditions(tmp_path: Path) -> None:
    search = {
        "x": ["a when b and c=1", " a"],
        "y": {"range": (1, 2), "when": {"x": "a when b and c=1"}},
        "z": {"range": (1, 2), "when": {"x": " a"}},
    }
    first, *others = space_of(tmp_path, search)

    assert first.condition is None
    assert [one.condition and one.condition.any_of for one in others] == [("a when b and c=1",), (" a",)]


def test_options_of_a_function_keep_their_types(tmp_path: Path) -> None:
    options = ["sqrt", 0.5, 1, "1", None]

    found = space_of(tmp_path, {"x": options}, file="train.pkl", defaults={"x": "sqrt"})[0].choices

    assert found == tuple(options)
    assert [type(option) for option in found] == [type(option) for option in options]
