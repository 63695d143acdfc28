"""Messages over the socket between an owner and a watchdog."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from automl.launch.control import ControlSocket

if TYPE_CHECKING:
    from collections.abc import Iterator

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


def test_messages_arrive_whole_and_in_order_however_they_are_cut(pair: Pair) -> None:
    control = ControlSocket(pair[1])
    pair[0].sendall(b'{"started"')
    pair[0].sendall(b': 7}\n{"exit": 0}\n')

    assert control.receive() == {"started": 7}
    assert control.has_message
    assert control.receive() == {"exit": 0}
    assert not control.has_message


def test_the_end_of_the_other_side_is_seen(pair: Pair) -> None:
    control = ControlSocket(pair[1])
    pair[0].close()

    assert control.receive() is None
    orders: list[float] = []
    assert not control.read_orders(orders.append, abandoned_s=0.5)
    assert orders == [0.5]
    control.report({"exit": 0})
    with pytest.raises(OSError, match="Broken pipe"):
        control.send({"exit": 0})


def test_orders_are_taken_together_and_half_an_order_waits_for_its_rest(pair: Pair) -> None:
    owner, control = ControlSocket(pair[0]), ControlSocket(pair[1])
    owner.send({"kill": 2.0})
    owner.send({"kill": 0})
    pair[0].sendall(b'{"kill"')

    orders: list[float] = []
    assert control.read_orders(orders.append, abandoned_s=9.0)
    assert orders == [2.0, 0.0]
    pair[0].sendall(b": 1}\n")
    assert control.read_orders(orders.append, abandoned_s=9.0)
    assert orders == [2.0, 0.0, 1.0]
