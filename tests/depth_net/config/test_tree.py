from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from depth_net.config.experiment import ExperimentConfig
from depth_net.config.tree import apply_overrides, read_tree, to_yaml
from depth_net.errors import SpecError

if TYPE_CHECKING:
    from pathlib import Path

    from depth_net.config.problems import SpecProblem


def written(folder: Path, text: str) -> Path:
    path = folder / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def overridden(tree: dict[str, Any], *words: str) -> tuple[dict[str, Any], list[SpecProblem]]:
    problems: list[SpecProblem] = []
    apply_overrides(tree, words, problems)
    return tree, problems


def test_plain_scalars_stay_text_but_null(tmp_path: Path) -> None:
    tree = read_tree(written(tmp_path, "a: 1e-4\nb: 2024_11\nc: no\nd: 1:30\ne: 2024-11-01\nf: ~\ng:\nno: '~'\n"))

    texts = {"a": "1e-4", "b": "2024_11", "c": "no", "d": "1:30", "e": "2024-11-01"}
    assert tree == {**texts, "f": None, "g": None, "no": "~"}


def test_an_empty_file_is_an_empty_spec(tmp_path: Path) -> None:
    assert read_tree(written(tmp_path, "")) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "not valid YAML"),
        ("- 1", "a mapping"),
        ("a: 1\na: 2", "twice"),
        ("a: &a {b: 1}\nc: {<<: *a, <<: *a}", "twice"),
        ("? [1, 2]\n: 3", "a key is no single value"),
        ("a: " + "[" * 3000 + "]" * 3000, "nested without end"),
        ("a: &a [*a]", "recursive"),
        ("a: \x00", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_spec_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        read_tree(written(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        read_tree(tmp_path / "none.yaml")


def test_overrides_set_nested_values_and_later_ones_win() -> None:
    tree, problems = overridden({"train": {"seed": 1}}, "train.seed=2", "+train.optim.lr=1e-3", "train.seed=3")

    assert tree == {"train": {"seed": "3", "optim": {"lr": "1e-3"}}}
    assert not problems


@pytest.mark.parametrize("index", ["[0]", ".0"])
def test_an_override_reaches_into_a_list(index: str) -> None:
    tree, problems = overridden({}, f"d.data_sources{index}.data_file=a file with spaces.txt")

    assert tree == {"d": {"data_sources": [{"data_file": "a file with spaces.txt"}]}}
    assert not problems


def test_values_of_overrides_are_yaml_and_empty_ones_unset() -> None:
    tree, _ = overridden({}, "a=[1, 2]", "b=", "c=x=y", "d=data/a:b", "e={f: 1}", "g=[")

    assert tree == {"a": ["1", "2"], "b": None, "c": "x=y", "d": "data/a:b", "e": {"f": "1"}, "g": "["}


def test_a_tilde_takes_a_key_back_to_its_default() -> None:
    assert overridden({"a": {"b": 1, "c": 2}}, "~a.b")[0] == {"a": {"c": 2}}


@pytest.mark.parametrize(
    "word", ["train.seed", "=3", "train..seed=1", "train.seed.=1", "a b=3", "~a=3", "train.seed.deep=1", "l[5].x=1"]
)
def test_an_override_that_cannot_be_applied_is_reported(word: str) -> None:
    _, problems = overridden({"train": {"seed": 1}, "l": [{}]}, word)

    assert len(problems) == 1
    assert word in problems[0].where


def test_an_override_changes_one_of_the_places_that_share_an_anchor(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("train: &split {crop: [70, 70]}\nval: *split\n", encoding="utf-8")
    tree = read_tree(spec)

    apply_overrides(tree, ["train.crop=[98, 98]"], [])

    assert tree == {"train": {"crop": ["98", "98"]}, "val": {"crop": ["70", "70"]}}


def test_a_merge_key_fills_in_what_a_group_does_not_set(tmp_path: Path) -> None:
    tree = read_tree(written(tmp_path, "train: &split {crop: [70, 70], size: 1}\nval:\n  <<: *split\n  size: 2\n"))

    assert tree == {"train": {"crop": ["70", "70"], "size": "1"}, "val": {"crop": ["70", "70"], "size": "2"}}


def test_a_spec_survives_being_written_and_read() -> None:
    tree = ExperimentConfig().to_tree()

    assert yaml.safe_load(to_yaml(tree)) == tree


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_what_windows_editors_write_is_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "spec.yaml").write_bytes("a: grün\r\nb: 2\r\n".encode(encoding))

    assert read_tree(tmp_path / "spec.yaml") == {"a": "grün", "b": "2"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[{dataset_name:NYUDV2,data_file:/a/b.txt}]", [{"dataset_name": "NYUDV2", "data_file": "/a/b.txt"}]),
        ("{a:1,b:[2,3],c:{d:4}}", {"a": "1", "b": ["2", "3"], "c": {"d": "4"}}),
        ("{a: 0, b: '', c: null, d: [], e: false}", {"a": "0", "b": "", "c": None, "d": [], "e": "false"}),
        ("C:/a", "C:/a"),
    ],
)
def test_pairs_may_be_written_as_hydra_writes_them(text: str, value: object) -> None:
    tree, _ = overridden({}, f"key={text}")

    assert tree == {"key": value}
