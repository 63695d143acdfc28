"""Tracking URIs, read without MLflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.errors import ConfigurationError
from automl.tracking.mlflow.failures import explain
from automl.tracking.mlflow.uri import artifact_root, default_tracking_uri, sqlite_file, store_address, without_password


def test_the_default_record_is_a_sqlite_file_in_the_results_root(tmp_path: Path) -> None:
    uri = default_tracking_uri(tmp_path)

    assert uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert sqlite_file(uri) == tmp_path / "mlflow.db"


def test_artifacts_of_a_sqlite_record_lie_beside_it(tmp_path: Path) -> None:
    root = artifact_root(default_tracking_uri(tmp_path), "depth net/demo")

    assert root == (tmp_path / "mlflow-artifacts" / "depth_net_demo").as_uri()


def test_a_server_decides_itself_where_artifacts_go() -> None:
    assert artifact_root("http://server:5000", "demo") is None
    assert sqlite_file("http://server:5000") is None


@pytest.mark.parametrize("folder", ["what?", "100%41", "a%2fb"])
def test_a_path_that_mlflow_would_take_for_another_is_never_given_to_it(folder: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        store_address(default_tracking_uri(Path("/data", folder)))

    assert explain(caught.value).startswith(
        "MLflow would take it for the address of another file, by its ? or %: rename that folder"
    )
    for uri in ("sqlite:////data/100% résults #1/mlflow.db", "http://server/?a=%41"):
        assert store_address(uri) == uri


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        (
            "postgresql://db/mlflow?user=u&password=pa55&sslmode=require",
            "postgresql://db/mlflow?user=u&sslmode=require",
        ),
        ("postgresql://u:pa55@db/mlflow?sslpassword=pa55&sslkey=/k", "postgresql://db/mlflow?sslkey=/k"),
        ("mysql+pymysql://db/m?passwd=pa55", "mysql+pymysql://db/m"),
        ("http://u:pa55@host:8976/ml?tok=pa55", "http://host:8976/ml"),
        ("https://host/ml?x=pa55", "https://host/ml"),
    ],
)
def test_a_secret_of_the_query_is_never_shown(uri: str, shown: str) -> None:
    assert without_password(uri) == shown


def test_a_password_is_never_shown() -> None:
    assert without_password("postgresql://ann:secret@db:5432/mlflow") == "postgresql://db:5432/mlflow"
    assert without_password("sqlite:////tmp/mlflow.db") == "sqlite:////tmp/mlflow.db"
    assert Path("/tmp/mlflow.db") == sqlite_file("sqlite:////tmp/mlflow.db")  # noqa: S108 # never opened
