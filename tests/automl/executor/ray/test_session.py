from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
import ray

from automl.errors import LaunchError
from automl.executor.ray import folders
from automl.executor.ray.private_names import ray_is_alive
from automl.executor.ray.session import check_fit, quiet_ray, ray_session, remove_leftovers, uninterrupted
from automl.study.model import Resources

if TYPE_CHECKING:
    from pathlib import Path


def test_a_trial_that_fits_nowhere_is_refused_with_both_numbers() -> None:
    with pytest.raises(LaunchError) as caught:
        check_fit(Resources(jobs=1, gpus_per_trial=2.0, cpus_per_trial=4.0), [{"CPU": 2.0, "GPU": 1.0}])

    found = {problem.where: (problem.found, problem.expected) for problem in caught.value.problems}
    assert found["resources: GPUs per trial"] == ("2", "at most 1, the most that a node has")
    assert found["resources: CPUs per trial"] == ("4", "at most 2, the most that a node has")


def test_a_fraction_of_a_device_fits_where_there_is_one() -> None:
    check_fit(Resources(jobs=4, gpus_per_trial=0.25), [{"CPU": 4.0, "GPU": 1.0}])


def test_a_trial_over_nodes_needs_so_many_nodes() -> None:
    node = {"CPU": 9.0, "GPU": 2.0}
    resources = Resources(jobs=1, gpus_per_trial=2.0, nodes_per_trial=2)

    check_fit(resources, [node, node])
    with pytest.raises(LaunchError, match="nodes per trial"):
        check_fit(resources, [node])


def test_devices_of_different_nodes_do_not_add_up_for_one_trial() -> None:
    node = {"CPU": 9.0, "GPU": 1.0}

    with pytest.raises(LaunchError, match="GPUs per trial"):
        check_fit(Resources(jobs=1, gpus_per_trial=2.0), [node, node])


def test_what_a_killed_driver_has_left_is_ended_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_SHORT", (tmp_path,))
    with subprocess.Popen([sys.executable, "-c", "pass"]) as dead:
        pass
    files = tmp_path / "elsewhere/ray-files"
    root = tmp_path / f"automl-{os.getuid()}"
    old, own = root / f"ray-{dead.pid}-abc", root / "ray-1-abc"
    for folder in (old, own, files):
        folder.mkdir(parents=True)
    (old / "files").symlink_to(files)
    command = [sys.executable, "-c", "import time; print(flush=True); time.sleep(300)", str(files / "session")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it runs, so that its command line can be read
        assert remove_leftovers() == 1

    assert process.returncode == -9
    assert not old.exists()
    assert not files.exists()
    assert own.exists()


def test_without_a_local_ray_nothing_can_be_lost() -> None:
    assert ray_is_alive()


def test_a_ray_that_starts_too_late_is_started_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    server_too_late = RuntimeError("Timed out waiting for file gcs_server_port")
    starts = iter([TOO_LATE, server_too_late, KeyError("the third start got so far")])
    monkeypatch.setattr(ray, "init", lambda **_: _raise(next(starts)))

    with pytest.raises(KeyError), ray_session(Resources(jobs=1), None):
        pass


def test_a_ray_that_never_starts_ends_the_study_with_its_own_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(ray, "init", lambda **_: _raise(TOO_LATE))

    with pytest.raises(LaunchError, match="3 attempts: the node was too slow"), ray_session(Resources(jobs=1), None):
        pass


TOO_LATE = Exception("the node was too slow")


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_counts_when_the_start_and_the_import_are_over(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    over: list[str] = []

    def import_slowly() -> None:
        time.sleep(0.2)
        over.append("import")

    def start() -> None:
        with uninterrupted(importing):
            signal.raise_signal(number)
            over.append("start")

    importing = threading.Thread(target=import_slowly)
    importing.start()

    with pytest.raises(KeyboardInterrupt):
        start()

    assert over == ["start", "import"]
    assert signal.getsignal(number) is before


def test_an_interrupt_leaves_no_half_of_ray_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "import signal\nsignal.raise_signal(signal.SIGINT)\nis_whole = True\n"
    (tmp_path / "ray.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ray")

    with pytest.raises(KeyboardInterrupt), quiet_ray():
        pytest.fail("the interrupt was forgotten")

    assert vars(sys.modules["ray"])["is_whole"]


COLLECTS = """
import gc, threading
from automl.executor.ray.session import ray_session
from automl.study.model import Resources

class Cycle:
    def __init__(self, reference):
        self.itself, self.reference = self, reference

def collect():
    # Each turn leaves one cycle to the collector, and allocates enough that it runs.
    while cycles:
        cycles.pop()
        kept = [[] for _ in range(800)]

with ray_session(Resources(jobs=1), None):
    import ray
    name = ray.put(0).binary()
    cycles = [Cycle(ray.ObjectRef(name)) for _ in range(20_000)]
    threading.Thread(target=collect, daemon=True).start()
print("the study ends", gc.isenabled())
"""


def test_what_another_thread_collects_while_ray_shuts_down_does_not_end_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", COLLECTS], capture_output=True, text=True, timeout=100, check=False)

    assert (done.returncode, done.stdout) == (0, "the study ends True\n"), done.stderr


LATE = """
import ray
from automl.executor.ray.private_names import sends_token
from automl.executor.ray.session import ray_session
from automl.study.model import Resources

with ray_session(Resources(jobs=1), None):
    print(ray.nodes()[0]["NodeManagerAddress"], sends_token())
"""


def test_a_ray_that_the_user_has_imported_before_has_a_token_and_listens_on_loopback() -> None:
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, timeout=100, check=False)

    assert (done.returncode, done.stdout) == (0, "127.0.0.1 True\n"), done.stderr


def test_a_ray_of_the_user_that_runs_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    shutdown = Mock()
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "shutdown", shutdown)

    with pytest.raises(LaunchError, match=r"call ray.shutdown\(\) first"), ray_session(Resources(jobs=1), None):
        pass
    shutdown.assert_not_called()
