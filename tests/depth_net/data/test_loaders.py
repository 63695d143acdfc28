"""Order, share and shape of batches."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import psutil
import pytest
import torch

from depth_net.config.dataset import DataSource
from depth_net.data.dataset import REPEATED, DepthDataset, build_dataset
from depth_net.data.loaders import (
    build_loader,
    can_fork,
    choose_worker_count,
    one_thread,
    pinning_for,
    start_processes,
    stop_processes,
    use_threads,
)
from depth_net.data.sample_order import EpochSampler, ShapeBatches, Share
from depth_net.model.family import ModelType
from tests.depth_net.data.builders import MEAN, STD, write_depth_mm, write_nyu, write_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.utils.data import DataLoader

    from depth_net.config.dataset import SplitName
    from depth_net.data.loaders import Batch


def _dataset(file: Path, split: SplitName, *, cache_bytes: int = 0) -> DepthDataset:
    return build_dataset(
        [DataSource(dataset_name="NYUDV2", data_file=str(file))],
        split=split,
        model_type=ModelType.METRIC,
        crop_size=(28, 28),
        input_mean=MEAN,
        input_std=STD,
        min_depth_m=None,
        max_depth_m=None,
        cache_bytes=cache_bytes,
        seed=1,
    )


def _loader(dataset: DepthDataset, *, batch_size: int = 2, workers: int = 0, seed: int = 1) -> DataLoader[Batch]:
    return build_loader(dataset, batch_size=batch_size, workers=workers, pin_memory=False, seed=seed)


def _paths(loader: DataLoader[Batch], epoch: int) -> list[str]:
    assert isinstance(loader.sampler, EpochSampler)
    loader.sampler.set_epoch(epoch)
    return [path for batch in loader for path in batch["image_path"]]


def _order(sampler: EpochSampler, epoch: int) -> list[int]:
    sampler.set_epoch(epoch)
    return [key if isinstance(key, int) else key[1] for key in sampler]


def test_training_batches_are_stacked_and_the_rest_is_dropped(tmp_path: Path) -> None:
    batches = list(_loader(_dataset(write_nyu(tmp_path, 5), "train")))

    assert [tuple(batch["image"].shape) for batch in batches] == [(2, 3, 28, 28)] * 2
    assert isinstance(batches[0]["target"], torch.Tensor)
    assert batches[0]["target"].shape == (2, 1, 28, 28)


def test_the_order_depends_on_seed_and_epoch_only(tmp_path: Path) -> None:
    dataset = _dataset(write_nyu(tmp_path, 8), "train")

    first, again, other_seed = _loader(dataset), _loader(dataset), _loader(dataset, seed=2)

    assert _paths(first, 0) != _paths(first, 1)
    assert _paths(first, 1) == _paths(again, 1)
    assert _paths(first, 0) != _paths(other_seed, 0)
    assert sorted(_paths(first, 0)) == sorted(_paths(first, 1))


def _write_mixed(folder: Path, sizes: Sequence[tuple[int, int]]) -> Path:
    lines = []
    for index, (height, width) in enumerate(sizes):
        write_picture(folder / f"{index}.png", height, width, seed=index)
        write_depth_mm(folder / f"{index}_d.png", height, width)
        lines.append(f"{index}.png {index}_d.png\n")
    (folder / "list.txt").write_text("".join(lines), encoding="utf-8")
    return folder / "list.txt"


def test_images_of_one_size_share_a_batch_and_targets_stay_native(tmp_path: Path) -> None:
    file = _write_mixed(tmp_path, [(48, 64), (64, 48), (24, 32)])

    wide, tall = _loader(_dataset(file, "val"), batch_size=3)

    assert wide["image"].shape == (2, 3, 28, 42)
    assert tall["image"].shape == (1, 3, 42, 28)
    assert (wide["row"], tall["row"]) == ([0, 2], [1])
    assert (wide["image_size"], tall["image_size"]) == ([[48, 64], [24, 32]], [[64, 48]])
    assert [tuple(target.shape) for target in wide["target"]] == [(1, 48, 64), (1, 24, 32)]
    assert wide["has_target"] == [True] * 2


def test_native_targets_stay_a_list_when_they_have_the_size_of_the_image(tmp_path: Path) -> None:
    (batch,) = _loader(_dataset(write_nyu(tmp_path, 1, height=28, width=28), "val"))

    assert isinstance(batch["target"], list)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_the_ranks_share_the_validation_rows_in_equally_many_batches(world_size: int, batch_size: int) -> None:
    shapes = "aabababbbcaab"
    ranks = [
        ShapeBatches(13, batch_size=batch_size, share=Share(rank, world_size), shape_of=shapes.__getitem__)
        for rank in range(world_size)
    ]

    keys = [key for rank in ranks for batch in rank for key in batch if isinstance(key, tuple)]
    rows = [index for epoch, index in keys if epoch != REPEATED]

    assert sorted(rows) == list(range(13))
    assert len({len(rank) for rank in ranks}) == 1
    for batch in (batch for rank in ranks for batch in rank):
        assert len(batch) <= batch_size
        assert len({shapes[key[1]] for key in batch if isinstance(key, tuple)}) == 1


def test_a_row_is_given_at_most_a_few_batches_late() -> None:
    shapes = ["a" if index == 0 else "b" for index in range(100)]
    batches = ShapeBatches(100, batch_size=2, share=Share(), shape_of=shapes.__getitem__)

    starts = [batch[0] for batch in batches]

    assert starts[:2] == [(0, 0), (0, 1)]


def test_training_shares_are_equal_and_disjoint() -> None:
    shares = [EpochSampler(7, seed=0, share=Share(rank, 2)) for rank in range(2)]

    orders = [_order(share, 4) for share in shares]

    assert [len(order) for order in orders] == [3, 3]
    assert not set(orders[0]) & set(orders[1])


def test_tiny_and_cached_sets_need_no_loading_processes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = write_nyu(tmp_path, 3)
    many = tmp_path / "many.txt"
    many.write_text(file.read_text(encoding="utf-8") * 40, encoding="utf-8")

    with caplog.at_level(logging.INFO):
        loader = _loader(_dataset(file, "train"), workers=8)

    assert loader.num_workers == 0
    assert "train data: 0 loading processes instead of 8: 3 samples are few" in caplog.text
    assert choose_worker_count(_dataset(many, "train", cache_bytes=10**9), asked=8) == 0
    assert choose_worker_count(_dataset(many, "train"), asked=0) == 0
    assert choose_worker_count(_dataset(many, "train"), asked=64) == len(os.sched_getaffinity(0))
    assert choose_worker_count(_dataset(many, "train"), asked=1) == 1


def test_little_shared_memory_means_fewer_loading_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_nyu(tmp_path, 3)
    file.write_text(file.read_text(encoding="utf-8") * 25, encoding="utf-8")
    dataset = _dataset(file, "train")
    bytes_of_two_batches = 2 * 10 * 28 * 28 * (3 + 4 + 1)
    monkeypatch.setattr("depth_net.data.loaders._free_shared_memory", lambda: bytes_of_two_batches + 1)
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: set(range(16)))

    with caplog.at_level(logging.INFO):
        one = choose_worker_count(dataset, asked=8, batch_size=10)
        none = choose_worker_count(dataset, asked=8, batch_size=11)

    assert (one, none) == (1, 0)
    assert "instead of 8: shared memory (/dev/shm) has no room for more batches" in caplog.text


def test_loading_processes_give_the_same_batches(tmp_path: Path) -> None:
    file = write_nyu(tmp_path, 3)
    file.write_text(file.read_text(encoding="utf-8") * 25, encoding="utf-8")
    dataset = _dataset(file, "train")
    inside, outside = _loader(dataset, batch_size=25), _loader(dataset, batch_size=25, workers=1)

    inside_batches = [batch["image"] for batch in inside]
    outside_batches = [batch["image"] for batch in outside]

    assert (inside.num_workers, outside.num_workers) == (0, 1)
    assert all(torch.equal(a, b) for a, b in zip(inside_batches, outside_batches, strict=True))


def test_loading_processes_work_where_the_temporary_folder_is_too_long_for_sockets(tmp_path: Path) -> None:
    long = tmp_path / ("long" * 40)
    long.mkdir()
    code = (
        "from torch.utils.data import DataLoader\nfrom depth_net.data.loaders import shorten_sockets\n"
        "import tempfile, torch\nshorten_sockets()\n"
        "print(len(list(DataLoader([torch.zeros(3)] * 8, num_workers=2))), tempfile.gettempdir())"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(long)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == f"8 {long}\n", done.stderr


def test_a_sampler_gives_nothing_while_it_is_closed() -> None:
    sampler = EpochSampler(3, seed=0, share=Share())

    with sampler.closed():
        assert not list(sampler)

    assert sorted(_order(sampler, 0)) == [0, 1, 2]


def test_processes_that_were_started_ahead_load_the_same_batches(tmp_path: Path) -> None:
    dataset = _dataset(write_nyu(tmp_path, 70), "train")
    ahead, late = _loader(dataset, workers=1), _loader(dataset)

    start_processes(ahead)
    (process,) = multiprocessing.active_children()

    assert _paths(ahead, 3) == _paths(late, 3)
    assert process.is_alive()


def test_processes_end_when_they_are_stopped_in_the_middle_of_an_iteration(tmp_path: Path) -> None:
    loader = _loader(_dataset(write_nyu(tmp_path, 70), "train"), workers=2)
    stream = iter(loader)
    next(stream)
    processes = multiprocessing.active_children()

    stop_processes(loader)

    assert len(processes) == 2
    assert not any(process.is_alive() for process in processes)


@pytest.fixture
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of the test runner are not counted."""
    monkeypatch.setattr(threading, "enumerate", lambda: [threading.current_thread()])


@pytest.mark.parametrize(("name", "can"), [("gpu-driver", True), ("another", False)])
def test_a_process_with_another_thread_than_the_drivers_is_not_forked(
    name: str,
    can: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thread = threading.Thread(name=name)
    monkeypatch.setattr(threading, "enumerate", lambda: [threading.current_thread(), thread])

    with one_thread():
        assert can_fork() is can


@pytest.mark.usefixtures("_alone")
def test_a_process_with_threads_of_opencv_or_a_started_gpu_is_not_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    with one_thread():
        assert can_fork()
        cv2.setNumThreads(2)
        assert not can_fork()
    with one_thread():
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
        assert not can_fork()


def test_a_single_thread_is_used_for_a_while_only() -> None:
    before = torch.get_num_threads(), cv2.getNumThreads()
    try:
        use_threads(2)
        with one_thread():
            assert (torch.get_num_threads(), cv2.getNumThreads()) == (1, 1)
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (2, 2)
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


KILLED = """
import multiprocessing, os, pathlib, signal, sys
sys.path[:0] = [{root!r}]
from depth_net.data import loaders
from tests.depth_net.data.test_loaders import _dataset, _loader
if __name__ == "__main__":
    loaders.can_fork = lambda: False
    batches = iter(_loader(_dataset(pathlib.Path({file!r}), "train"), workers=1))
    next(batches)
    print(*(process.pid for process in multiprocessing.active_children()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_loading_processes_of_a_fork_server_end_with_the_training_process(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    root = str(Path(__file__).parents[3])
    program.write_text(KILLED.format(root=root, file=str(write_nyu(tmp_path, 70))), encoding="utf-8")

    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=False, timeout=120)

    (pid,) = map(int, done.stdout.split())
    assert done.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 20
    while psutil.pid_exists(pid):
        assert time.monotonic() < deadline, f"the loading process {pid} outlived the training process"
        time.sleep(0.02)


def test_batches_are_page_locked_for_the_gpu_of_the_process_and_not_for_the_first_one() -> None:
    before = torch.accelerator.current_device_index

    with pinning_for(3):
        assert torch.accelerator.current_device_index() == 3
    with pinning_for(None):
        assert torch.accelerator.current_device_index is before

    assert torch.accelerator.current_device_index is before
