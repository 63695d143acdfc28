"""Where the processes of one host that train together meet."""

from __future__ import annotations

import socket

HOST = "127.0.0.1"


def find_free_port() -> int:
    """Return a port of this host that nobody listens on; another process may take it before it is used."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
