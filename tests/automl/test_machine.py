"""What this machine offers, with a fake driver tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from automl.machine import detect_machine, direct_loopback, most_threads, shown_bytes, threads_of

if TYPE_CHECKING:
    from pathlib import Path

TOOL = """#!/bin/sh
echo "0, GPU-aaaa, NVIDIA H200, 143771"
echo "1, GPU-bbbb, NVIDIA H200, 143771"
"""


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(TOOL, encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.usefixtures("two_gpus")
def test_gpus_are_read_with_identity_and_memory() -> None:
    gpus = detect_machine().gpus

    assert [(gpu.index, gpu.uuid, gpu.name) for gpu in gpus] == [
        (0, "GPU-aaaa", "NVIDIA H200"),
        (1, "GPU-bbbb", "NVIDIA H200"),
    ]
    assert gpus[0].memory_gib == pytest.approx(140.4, abs=0.1)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("visible", "expected"),
    [("1", ["GPU-bbbb"]), ("GPU-aaaa", ["GPU-aaaa"]), ("", []), ("1,0", ["GPU-bbbb", "GPU-aaaa"])],
)
def test_only_visible_gpus_count(visible: str, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert [gpu.uuid for gpu in detect_machine().gpus] == expected


def test_a_machine_without_the_driver_has_no_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    machine = detect_machine()

    assert machine.gpus == ()
    assert machine.cpus >= 1


def test_a_driver_that_fails_offers_no_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    assert detect_machine().gpus == ()


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (2_345_678, "2.2 MiB"),
        (5 * 2**30, "5.0 GiB"),
        (2**43, "8.0 TiB"),
    ],
)
def test_bytes_are_for_people(count: int, shown: str) -> None:
    assert shown_bytes(count) == shown


@pytest.mark.parametrize(
    ("environment", "direct"),
    [
        ({"http_proxy": "http://proxy:3128"}, "localhost,127.0.0.1,::1"),
        (
            {"ALL_PROXY": "x", "no_proxy": "", "NO_PROXY": " corp.example, 127.0.0.1"},
            "corp.example,127.0.0.1,localhost,::1",
        ),
        ({"https_proxy": "x", "no_proxy": "*"}, None),
        ({"no_proxy": "corp.example"}, None),
    ],
)
def test_a_server_on_this_machine_is_never_asked_through_a_proxy(
    environment: dict[str, str], direct: str | None
) -> None:
    assert direct_loopback(environment) == ({} if direct is None else {"no_proxy": direct, "NO_PROXY": direct})


@pytest.mark.parametrize(
    ("text", "threads"), [(None, 4), ("1", 1), ("2,1", 2), ("64", 4), ("0", 4), ("", 4), ("many", 4), ("-1", 4)]
)
def test_a_trial_has_the_threads_of_its_share_or_fewer_where_the_user_says_so(
    monkeypatch: pytest.MonkeyPatch, text: str | None, threads: int
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if text is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", text)

    assert threads_of(4.5, most_threads()) == threads
    assert threads_of(0.5, most_threads()) == 1
