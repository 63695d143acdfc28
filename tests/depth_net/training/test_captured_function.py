from __future__ import annotations

import torch

from depth_net.training.captured_function import MOST_SHAPES, WARM_UP_CALLS, CapturedFunction
from tests.depth_net.training.recorded_graph import ProcessorRecorder


def test_a_recorded_function_follows_its_arguments_and_what_it_reads() -> None:
    weight, recorder = torch.ones(3), ProcessorRecorder()
    function = CapturedFunction(lambda one, other: (one * weight).sum() + other, recorder)

    for number in range(8):
        weight.fill_(number)
        one, other = torch.full((3,), float(number)), torch.tensor(0.5)

        assert float(function(one, other)) == 3 * number**2 + 0.5

    assert (recorder.recorded, recorder.replayed) == (1, 8 - WARM_UP_CALLS)


def test_only_the_first_shapes_that_come_again_are_recorded() -> None:
    recorder = ProcessorRecorder()
    function = CapturedFunction(torch.sum, recorder)

    for size in range(1, MOST_SHAPES + 3):
        assert [float(function(torch.ones(size))) for _ in range(WARM_UP_CALLS + 2)] == [size] * (WARM_UP_CALLS + 2)
    for size in range(100, 110):
        assert float(function(torch.ones(size))) == size

    assert (recorder.recorded, recorder.replayed) == (MOST_SHAPES, 2 * MOST_SHAPES)


def test_without_a_recorder_every_call_is_computed_as_usual() -> None:
    function = CapturedFunction(torch.neg, None)

    results = [function(torch.tensor(float(number))) for number in range(4)]

    assert [float(result) for result in results] == [0.0, -1.0, -2.0, -3.0]
