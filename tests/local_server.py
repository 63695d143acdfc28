"""An HTTP server for tests, on loopback."""

from __future__ import annotations

from http.server import ThreadingHTTPServer


class LocalServer(ThreadingHTTPServer):
    """A server that says nothing of a client that went away: its text would be in the output of the next test."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""
