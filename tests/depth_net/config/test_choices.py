from __future__ import annotations

import pytest

from depth_net.config.choices import BestMetric, Encoder
from depth_net.model.encoders import ENCODERS


def test_the_words_for_encoders_are_those_of_the_model() -> None:
    assert {encoder.value for encoder in Encoder} == set(ENCODERS)


@pytest.mark.parametrize(("metric", "higher"), [("val/d1", True), ("val/loss", False), ("val/abs_rel", False)])
def test_accuracies_are_better_when_higher_and_errors_when_lower(metric: str, higher: bool) -> None:  # noqa: FBT001 - a case
    assert BestMetric(metric).higher_is_better is higher
