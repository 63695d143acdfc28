"""A language model for tests: an HTTP server on this machine that speaks the chat protocol."""

from __future__ import annotations

import json
import random
import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Self

from tests.local_server import LocalServer

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from automl.space.search_space import SearchSpace

KEY = "sk-a-secret-that-must-not-leak"


class FakeEndpoint:
    """Answers every request by a function of the study in the prompt.

    Attributes:
        answer: From the prompt to an assignment (or to the text of the answer).
        failures: Statuses that are sent first, one for each request.
        requests: Headers and document of each request so far.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch | None = None) -> None:
        self.answer: Callable[[dict[str, Any]], dict[str, Any] | str] = lambda _: "nothing"
        self.failures: list[int] = []
        self.requests: list[tuple[dict[str, str], dict[str, Any]]] = []
        self._server = LocalServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self.environment = {
            "AUTOML_LLM_BASE_URL": self.url,
            "AUTOML_LLM_MODEL": "fake",
            "AUTOML_LLM_API_KEY": KEY,
        }
        if monkeypatch is not None:
            for name, value in self.environment.items():
                monkeypatch.setenv(name, value)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reply(self, headers: dict[str, str], document: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.requests.append((headers, document))
        if self.failures:
            return self.failures.pop(0), {"error": f"said {headers.get('Authorization')}"}
        answer = self.answer(json.loads(document["messages"][1]["content"]))
        text = answer if isinstance(answer, str) else json.dumps({"why": "a guess", "assignment": answer})
        return 200, {"choices": [{"message": {"role": "assistant", "content": text}}]}


def draw_unseen(space: SearchSpace, prompt: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return a random assignment that no trial of the prompt has."""
    source = random.Random(f"{seed}/{prompt['next_trial']}")  # noqa: S311 # reproducible test data
    tried = [trial["assignment"] for trial in prompt["trials"]]
    while True:
        found = space.from_unit({path: source.random() for path in space.paths})
        if found not in tried:
            return found


def _handler(endpoint: FakeEndpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            document = json.loads(self.rfile.read(length))
            status, reply = endpoint.reply(dict(self.headers), {"path": self.path, **document})
            body = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler
