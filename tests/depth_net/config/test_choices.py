from __future__ import annotations

from depth_net.config.choices import Encoder
from depth_net.model.encoders import ENCODERS


def test_the_words_for_encoders_are_those_of_the_model() -> None:
    assert {encoder.value for encoder in Encoder} == set(ENCODERS)
