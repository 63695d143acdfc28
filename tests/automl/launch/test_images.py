from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from automl.errors import LaunchError
from automl.launch.images import find_image, prepare_image
from automl.study.launch_plan import LauncherKind
from automl.study.trial import FailureKind
from automl.trial.failures import classify_launch
from tests.automl.launch.fake_engine import install_engine, install_program
from tests.contracts.engines import IMAGE

if TYPE_CHECKING:
    from pathlib import Path

FACTS = {"Id": "sha256:1", "RepoDigests": ["nvcr.io/tao@sha256:2"], "Size": 12_000_000, "Architecture": "amd64"}


def engine_with(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, pull: str, facts: dict[str, object] | None = None
) -> None:
    """An engine that has the image once it has been pulled."""
    answer = json.dumps([facts or FACTS], indent=4)
    look = f"if [ -e {folder}/pulled ]; then echo '{answer}'; else echo 'No such image' >&2; exit 1; fi"
    install_engine(folder, monkeypatch, rest=f'case "$1" in image) {look};; pull) {pull};; esac')


def test_an_image_that_is_missing_is_pulled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine_with(tmp_path, monkeypatch, pull=f"echo x >> {tmp_path}/pulled")

    assert find_image(LauncherKind.DOCKER, "nvcr.io/tao") is None
    _, second = (prepare_image(LauncherKind.DOCKER, "nvcr.io/tao") for _ in range(2))

    assert (second.digest, second.size_bytes) == ("nvcr.io/tao@sha256:2", 12_000_000)
    assert (tmp_path / "pulled").read_text(encoding="utf-8") == "x\n"


@pytest.mark.parametrize(
    ("words", "kind", "fix"),
    [
        (
            "Error: pull access denied for tao, repository does not exist or may require docker login",
            "credential",
            "login nvcr.io",
        ),
        ("Error response from daemon: unauthorized: authentication required", "credential", "docker login nvcr.io"),
        ("Error response from daemon: manifest for nvcr.io/tao:9 not found: manifest unknown", "image", "--image"),
        ("dial tcp: lookup nvcr.io: no such host", "infrastructure", "docker load"),
    ],
)
def test_an_image_that_cannot_be_had_is_explained_by_kind(
    words: str, kind: str, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine_with(tmp_path, monkeypatch, pull=f"echo '{words}' >&2; exit 1")

    with pytest.raises(LaunchError) as caught:
        prepare_image(LauncherKind.DOCKER, "nvcr.io/tao:9")

    [problem] = caught.value.problems
    assert problem.where == f"image nvcr.io/tao:9 ({kind})"
    assert fix in problem.fix
    if "pull access denied" not in words:  # by itself this may be either
        assert classify_launch(caught.value).kind is FailureKind(kind)


def test_an_image_for_other_processors_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine_with(tmp_path, monkeypatch, pull=f"touch {tmp_path}/pulled", facts={**FACTS, "Architecture": "arm64"})

    with pytest.raises(LaunchError, match="an image for arm64"):
        prepare_image(LauncherKind.DOCKER, "nvcr.io/tao")


def test_apptainer_pulls_into_a_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    install_program(tmp_path / "bin", monkeypatch, "apptainer", f'echo x >> {tmp_path}/pulled; echo "$3" > "$2"')

    first, second = (prepare_image(LauncherKind.APPTAINER, "nvcr.io/tao:6") for _ in range(2))

    assert first == second
    assert (tmp_path / "pulled").read_text(encoding="utf-8") == "x\n"
    file = tmp_path / "cache/automl/images/nvcr.io-tao-6.sif"
    assert file.read_text(encoding="utf-8") == "docker://nvcr.io/tao:6\n"


def test_a_real_engine_reports_size_and_platform_of_an_image(docker_host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", docker_host)

    image = prepare_image(LauncherKind.DOCKER, IMAGE)

    assert image.size_bytes > 1_000_000
    assert image.digest.startswith("sha256:")
    with pytest.raises(LaunchError, match="no-such/image"):
        prepare_image(LauncherKind.DOCKER, "localhost:1/no-such/image:1")


def test_a_real_podman_reports_size_and_platform_of_an_image(
    podman_variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in podman_variables.items():
        monkeypatch.setenv(name, value)

    image = prepare_image(LauncherKind.PODMAN, IMAGE)

    assert image.size_bytes > 1_000_000
