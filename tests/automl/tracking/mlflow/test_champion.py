"""The alias `champion` moves to a better version on the same evaluation data, and by hand; every version says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.errors import LaunchError
from automl.tracking.mlflow.champion import decide_champion, promote, why_not
from automl.tracking.mlflow.uri import default_tracking_uri

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow import MlflowClient

pytestmark = pytest.mark.filterwarnings("default")  # MLflow's own imports warn

TAGS = {
    "automl.metric": "val/d1",
    "automl.direction": "maximize",
    "automl.value": "0.8",
    "automl.evaluation_data": "nyu/val.txt sha256:aa",
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"automl.value": "0.81"}, None),
        ({"automl.value": "0.8"}, "val/d1 0.8 is not better than 0.8"),
        ({"automl.value": "0.5"}, "val/d1 0.5 is not better than 0.8"),
        ({"automl.value": "nan"}, "val/d1 nan is not better than 0.8"),
        ({"automl.value": ""}, "one of the two has no value"),
        (
            {"automl.value": "0.9", "automl.metric": "val/rmse"},
            "its objective is val/rmse, that of",
        ),
        ({"automl.value": "0.9", "automl.direction": "minimize"}, "its direction is minimize"),
        (
            {"automl.value": "0.9", "automl.evaluation_data": "kitti/val.txt sha256:bb"},
            "it was evaluated on kitti/val.txt sha256:bb, the champion on nyu/val.txt sha256:aa",
        ),
        ({"automl.value": "0.9", "automl.evaluation_data": ""}, "it was evaluated on no data that are known"),
    ],
)
def test_only_what_is_better_on_the_same_data_replaces_the_champion(change: dict[str, str], reason: str | None) -> None:
    found = why_not({**TAGS, **change}, TAGS)

    assert found == reason or (found is not None and reason is not None and found.startswith(reason))


def test_less_is_better_where_the_objective_is_minimized() -> None:
    tags = {**TAGS, "automl.direction": "minimize"}

    assert why_not({**tags, "automl.value": "0.7"}, tags) is None
    assert why_not({**tags, "automl.value": "0.9"}, tags) == "val/d1 0.9 is not better than 0.8"


def test_a_champion_of_another_program_is_left_alone() -> None:
    assert why_not(TAGS, {}) == "its objective is val/d1, that of the champion None"
    old = {name: text for name, text in TAGS.items() if name != "automl.evaluation_data"}
    assert "data that it does not name" in str(why_not({**TAGS, "automl.value": "0.9"}, old))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> tuple[MlflowClient, str]:
    from mlflow import MlflowClient  # noqa: PLC0415 # heavy

    uri = default_tracking_uri(tmp_path_factory.mktemp("results"))
    made = MlflowClient(tracking_uri=uri, registry_uri=uri)
    made.create_registered_model("depth")
    return made, uri


def add(client: MlflowClient, root: Path, study: str, **changes: str) -> tuple[str, str]:
    """Register a version of a study, and return its number and what was decided."""
    tags = {**TAGS, **{f"automl.{name}": text for name, text in changes.items()}, "automl.study_id": study}
    version = str(client.create_model_version("depth", root.as_uri(), tags=tags, await_creation_for=0).version)
    return version, decide_champion(client, "depth", version)


def champion(client: MlflowClient) -> str:
    return str(client.get_model_version_by_alias("depth", "champion").version)


def test_a_later_worse_study_does_not_take_the_alias_and_a_person_can(
    client: tuple[MlflowClient, str], tmp_path: Path
) -> None:
    mlflow, uri = client

    assert add(mlflow, tmp_path, "a") == ("1", "champion: there was none")
    assert add(mlflow, tmp_path, "b", value="0.85") == ("2", "champion in place of version 1: val/d1 0.8 -> 0.85")
    worse = "not the champion, which is version 2: val/d1 0.5 is not better than 0.85"
    assert add(mlflow, tmp_path, "c", value="0.5") == ("3", worse)
    assert champion(mlflow) == "2"
    assert str(mlflow.get_model_version_by_alias("depth", "latest").version) == "3"
    assert mlflow.get_model_version("depth", "3").tags["automl.champion"] == worse
    assert worse in str(mlflow.get_model_version("depth", "3").description)

    done, model = promote(uri, "depth", "c")
    assert done == "models:/depth@champion is version 3; it was version 2"
    assert model == "depth version 3, champion by `automl promote`: it was version 2"
    assert champion(mlflow) == "3"
    # Sending a record again decides nothing anew.
    assert decide_champion(mlflow, "depth", "2").startswith("champion in place of version 1")
    assert decide_champion(mlflow, "depth", "3").startswith("champion by `automl promote`")
    assert champion(mlflow) == "3"


def test_a_study_without_a_version_cannot_be_promoted(client: tuple[MlflowClient, str]) -> None:
    _, uri = client

    with pytest.raises(LaunchError, match="no version of the model depth is of this study"):
        promote(uri, "depth", "unknown")


@pytest.mark.parametrize(("mine", "theirs"), [("0.95", "0.99"), ("0.99", "0.95")])
def test_of_two_studies_that_decide_at_the_same_time_the_better_one_has_the_alias(
    client: tuple[MlflowClient, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mine: str, theirs: str
) -> None:
    mlflow, _ = client
    name = f"raced-{mine}"
    mlflow.create_registered_model(name)
    versions = []
    for value in (mine, theirs):
        tags = {**TAGS, "automl.value": value}
        made = mlflow.create_model_version(name, tmp_path.as_uri(), tags=tags, await_creation_for=0)
        versions.append(str(made.version))
    move, said = mlflow.set_registered_model_alias, []

    def overtaken(*arguments: str) -> None:
        monkeypatch.setattr(mlflow, "set_registered_model_alias", move)
        said.append(decide_champion(mlflow, name, versions[1]))  # it saw no champion either
        move(*arguments)

    monkeypatch.setattr(mlflow, "set_registered_model_alias", overtaken)
    said.insert(0, decide_champion(mlflow, name, versions[0]))

    better = versions[[mine, theirs].index(max(mine, theirs))]
    assert str(mlflow.get_model_version_by_alias(name, "champion").version) == better
    if theirs > mine:
        assert said[0] == "not the champion, which has become version 2 meanwhile: val/d1 0.95 -> 0.99"
        assert mlflow.get_model_version(name, "1").tags["automl.champion"] == said[0]
    else:
        assert said[0] == "champion: there was none"
