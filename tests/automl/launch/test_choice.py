from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from automl.errors import ConfigurationError, LaunchError
from automl.launch.choice import (
    choose_launch,
    find_command,
    make_launcher,
    ready_launch,
)
from automl.launch.container import ContainerLauncher
from automl.launch.local import LocalLauncher
from automl.request.study_request import StudyRequest
from automl.skill.model import Skill, SkillAction
from automl.study.launch_plan import LauncherKind
from tests.automl.launch.fake_engine import install_engine, install_program, install_silent_engine

PLAIN = Skill(
    name="toy",
    root=Path("/skills/toy"),
    network_arch="toy",
    automl_enabled=True,
    actions={"train": SkillAction(name="train", command="no-such-trainer train -e {config_path}")},
    templates={},
    schemas={},
)
WITH_IMAGE = dataclasses.replace(PLAIN, image="nvcr.io/tao:6")
INSTALLED = dataclasses.replace(
    WITH_IMAGE, actions={"train": SkillAction(name="train", command="automl-toy-trainer -e {config_path}")}
)


def asking(**settings: Any) -> StudyRequest:  # noqa: ANN401 - fields of the settings
    """Return a request with these launch settings."""
    return StudyRequest(skill="toy", name="demo", **settings)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    return tmp_path / "programs"


def test_a_skill_without_an_image_runs_here_though_docker_answers(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_engine(programs, monkeypatch)

    launch = choose_launch(asking(), PLAIN, "train")

    assert (launch.launcher, launch.image, launch.reason) == (LauncherKind.WARM, None, "no image is named")


def test_a_skill_with_an_image_runs_in_docker_where_an_engine_answers(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_engine(programs, monkeypatch)

    launch = choose_launch(asking(launcher="auto", network="none"), WITH_IMAGE, "train")

    assert (launch.launcher, launch.image) == (LauncherKind.DOCKER, "nvcr.io/tao:6")
    assert launch.reason == "the skill names an image, and a docker engine answers (27.1)"
    assert launch.options == {"network": "none"}


def test_without_an_engine_a_trainer_that_is_installed_here_runs_here(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_silent_engine(programs, monkeypatch)

    launch = choose_launch(asking(), INSTALLED, "train")

    assert (launch.launcher, launch.image) == (LauncherKind.WARM, None)
    assert "no docker engine answers" in launch.reason
    assert "automl-toy-trainer is installed here" in launch.reason


def test_where_nothing_can_run_the_skill_both_ways_out_are_named(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_silent_engine(programs, monkeypatch)

    launch = choose_launch(asking(), WITH_IMAGE, "train")

    assert launch.launcher is LauncherKind.NONE
    with pytest.raises(LaunchError) as caught:
        ready_launch(launch)
    assert "start docker" in caught.value.problems[0].fix
    assert "--launcher local" in caught.value.problems[0].fix


def test_what_is_asked_for_wins(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_engine(programs, monkeypatch)

    local = choose_launch(asking(launcher="local"), WITH_IMAGE, "train")
    podman = choose_launch(asking(launcher="podman", image="mine:1"), WITH_IMAGE, "train")

    assert (local.launcher, local.image) == (LauncherKind.LOCAL, None)
    assert (podman.launcher, podman.image, podman.image_source) == (LauncherKind.PODMAN, "mine:1", "--image")


def test_a_launcher_that_neither_is_built_in_nor_a_plugin_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ConfigurationError, match="rocket") as raised:
        choose_launch(asking(launcher="rocket"), PLAIN, "train")

    (problem,) = raised.value.problems
    assert problem.expected.startswith("one of auto, warm, local, docker, podman, apptainer")


def test_a_container_without_an_image_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        choose_launch(asking(launcher="docker"), PLAIN, "train")

    assert "--image" in caught.value.problems[0].fix


def test_the_users_image_wins_over_the_actions_over_the_skills() -> None:
    action = dataclasses.replace(WITH_IMAGE.actions["train"], image="action:1")
    skill = dataclasses.replace(WITH_IMAGE, actions={"train": action})

    plans = [
        choose_launch(asking(launcher="docker", image="user:1"), skill, "train"),
        choose_launch(asking(launcher="docker"), skill, "train"),
        choose_launch(asking(launcher="docker"), WITH_IMAGE, "train"),
        choose_launch(asking(launcher="local"), PLAIN, "train"),
    ]

    assert [(plan.image, plan.image_source) for plan in plans] == [
        ("user:1", "--image"),
        ("action:1", "action train of the skill"),
        ("nvcr.io/tao:6", "the skill"),
        (None, ""),
    ]


def test_trials_over_several_nodes_get_the_hosts_network_unless_another_is_named() -> None:
    request = asking(launcher="docker", nodes_per_trial=2)

    assert choose_launch(request, WITH_IMAGE, "train").options == {"network": "host"}
    other = request.with_settings(network="ib0")
    assert choose_launch(other, WITH_IMAGE, "train").options == {"network": "ib0"}


def test_credentials_of_the_skill_and_the_user_are_handed_on_by_name() -> None:
    skill = dataclasses.replace(WITH_IMAGE, required_credentials=("MY_KEY",))

    names = choose_launch(asking(launcher="docker", container={"environment": ["EXTRA"]}), skill, "train").credentials

    assert {"MY_KEY", "HF_TOKEN", "EXTRA"} <= set(names)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("automl-toy-trainer -e {config_path}", ("automl-toy-trainer", True)),
        ("no-such-trainer -e {config_path}", ("no-such-trainer", False)),
        ("python -m json.tool {config_path}", ("python -m json.tool", True)),
        ("python -m no_such_module.train {config_path}", ("python -m no_such_module.train", False)),
        ("bash -lc 'trainer {config_path}'", ("bash", None)),
        ("cd /x && trainer {config_path}", ("bash", None)),
    ],
)
def test_whether_a_command_is_installed_here(
    template: str, expected: tuple[str, bool | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_program(tmp_path, monkeypatch, "bash", "")

    assert find_command(template) == expected


def test_settings_of_containers_are_those_of_the_request() -> None:
    container: dict[str, Any] = {"shm_size": "8g", "memory": "16g", "mounts": ["/data"]}

    launch = choose_launch(asking(launcher="podman", container=container), WITH_IMAGE, "train")

    assert launch.options == {"shm_size": "8g", "memory": "16g"}
    assert launch.mounts == ("/data",)


def test_each_kind_has_its_launcher() -> None:
    assert isinstance(make_launcher(LauncherKind.DOCKER), ContainerLauncher)
    assert isinstance(make_launcher(LauncherKind.APPTAINER), ContainerLauncher)
    assert isinstance(make_launcher(LauncherKind.LOCAL), LocalLauncher)
