from __future__ import annotations

from dataclasses import replace

from automl.executor.gpu_sharing import GpuSharing
from automl.machine import Gpu


class FakeDriver:
    """Two GPUs of 80 GiB; 2 GiB of the first are used by somebody else."""

    def __init__(self) -> None:
        self.gpus = [
            Gpu(index=0, uuid="GPU-0", name="fake", memory_gib=80.0, used_gib=2.0),
            Gpu(index=1, uuid="GPU-1", name="fake", memory_gib=80.0, used_gib=0.0),
        ]

    def __call__(self) -> list[Gpu]:
        return self.gpus

    def use(self, index: int, gib: float) -> None:
        self.gpus[index] = replace(self.gpus[index], used_gib=gib)


def placed(sharing: GpuSharing, count: int) -> list[str | None]:
    return [sharing.place(number) for number in range(count)]


def test_one_trial_runs_on_each_gpu_until_one_has_finished_an_epoch() -> None:
    sharing = GpuSharing(0.25, FakeDriver())

    assert placed(sharing, 3) == ["0", "1", None]


def test_the_peak_of_the_first_trial_decides_how_many_share_a_gpu() -> None:
    driver = FakeDriver()
    sharing = GpuSharing(0.1, driver)
    sharing.place(0)
    driver.use(0, 2.0 + 30.0)
    sharing.sample(at_once=True)
    driver.use(0, 2.0 + 10.0)  # the peak counts, not what is used now

    sharing.finished_epoch()

    # 0.9 x 80 GiB, less what others use, holds two trials of 30 GiB.
    assert [sharing.place(number) for number in range(1, 6)] == ["1", "0", "1", None, None]


def test_the_fraction_that_was_asked_for_is_never_exceeded() -> None:
    driver = FakeDriver()
    sharing = GpuSharing(0.5, driver)
    sharing.place(0)
    driver.use(0, 3.0)
    sharing.finished_epoch()

    assert [sharing.place(number) for number in range(1, 5)] == ["1", "0", "1", None]


def test_a_trial_that_needs_more_lowers_the_number_of_those_to_come() -> None:
    driver = FakeDriver()
    sharing = GpuSharing(0.25, driver)
    sharing.place(0)
    driver.use(0, 12.0)
    sharing.finished_epoch()
    sharing.place(1)
    driver.use(1, 60.0)
    sharing.sample(at_once=True)

    assert sharing.place(2) is None
    sharing.release(1)
    assert sharing.place(2) == "1"


def test_a_trial_too_large_for_any_gpu_still_runs_alone() -> None:
    driver = FakeDriver()
    sharing = GpuSharing(0.25, driver)
    sharing.place(0)
    driver.use(0, 80.0)
    sharing.finished_epoch()
    sharing.release(0)

    assert placed(sharing, 3) == ["0", "1", None]
