import pytest

from depth_net.model.encoders import ENCODERS, encoder_of_width


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_is_found_by_the_width_of_its_tokens(name: str) -> None:
    assert encoder_of_width(ENCODERS[name].width) == name


def test_an_unknown_width_has_no_encoder() -> None:
    assert encoder_of_width(512) is None


@pytest.mark.parametrize("name", ENCODERS)
def test_taps_are_ascending_and_the_last_block_is_one(name: str) -> None:
    shape = ENCODERS[name]

    assert list(shape.taps) == sorted(set(shape.taps))
    assert shape.taps[-1] == shape.depth - 1
    assert shape.width % shape.heads == 0
