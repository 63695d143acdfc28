from __future__ import annotations

import json

from automl.study.launch_plan import LAUNCHER_NAMES, LauncherKind, LaunchPlan, launch_from_document


def test_a_launch_plan_survives_its_json_form() -> None:
    plan = LaunchPlan(
        kind=LauncherKind.PODMAN,
        reason="--launcher podman",
        image="mine:1",
        image_source="--image",
        options={"network": "none"},
        credentials=("HF_TOKEN",),
        mounts=("/data",),
    )

    assert launch_from_document(json.loads(json.dumps(plan.document()))) == plan


def test_a_study_from_before_there_were_launchers_ran_in_this_environment() -> None:
    assert launch_from_document(None) == LaunchPlan()


def test_nobody_can_ask_for_nothing() -> None:
    assert LAUNCHER_NAMES == ("auto", "warm", "local", "docker", "podman", "apptainer")
