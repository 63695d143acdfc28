"""What has to be so before any test module is imported."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

# A shell starts what it puts in the background deaf to Ctrl-C, and so would be all that is tested there.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Tests run side by side: threads that spin while they wait for each other would take the processor from other tests.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# What runs keep for each other is not mixed with what the user's own runs keep.
_CACHE = tempfile.TemporaryDirectory(prefix="depth_net_cache_")
os.environ["DEPTH_NET_CACHE"] = _CACHE.name
# A skill that names an image runs in Docker where an engine answers: tests choose theirs, never the machine's own.
os.environ["DOCKER_HOST"] = "unix:///nonexistent/automl-tests.sock"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of real engines, and give slow tests the time that they need beside a machine's other work."""
    for item in items:
        if {"docker_host", "podman_variables"} & {*getattr(item, "fixturenames", ())}:
            item.add_marker(pytest.mark.container)
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(900))


def pytest_collection_finish() -> None:
    """Leave what was imported out of every later search for garbage: it is a tenth of the time of the tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def podman_variables() -> Iterator[dict[str, str]]:
    """The variables that lead Podman to a store of these tests, with their image in it."""
    from tests.contracts.engines import podman_engine  # noqa: PLC0415 # only where it is asked for

    with podman_engine() as variables:
        yield variables


@pytest.fixture(scope="session")
def docker_host() -> Iterator[str]:
    """The address of a real Docker engine of these tests, with their image in it."""
    from tests.contracts.engines import docker_engine  # noqa: PLC0415 # only where it is asked for

    with docker_engine() as address:
        yield address
