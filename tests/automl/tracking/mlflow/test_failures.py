"""Each reason why something was not stored has its own sentence; real servers give them in `test_faults`."""

from __future__ import annotations

import errno
import json
import os
import socket
from types import SimpleNamespace

import pytest

from automl.tracking.mlflow.failures import explain, http_status, is_refusal


class AnswerError(Exception):
    """An error of a client that has got an answer."""

    def __init__(self, response: object) -> None:
        super().__init__("no")
        self.response = response


def caused_by(cause: Exception) -> Exception:
    """Return an error of a library that was raised because of another one."""
    error = RuntimeError("the library's own words, http://user:secret@host/x?a=secret&b=secret")
    error.__cause__ = cause
    return error


def full(filename: str | None = None) -> OSError:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    error.filename = filename
    return error


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (ModuleNotFoundError("no", name="botocore.exceptions"), "botocore is not installed: pip install 'automl-"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "connection refused, nothing listens there"),
        (socket.gaierror(-2, "unknown"), "the host name is not known"),
        (TimeoutError(), "no answer in time"),
        (json.JSONDecodeError("no", "<html>", 0), "what answers there is no MLflow"),
        (full(), "No space left on device: make room in /"),
        (full("/artifacts/x"), "No space left on device: make room there, or the right to write"),
        (AnswerError(SimpleNamespace(status_code=413)), "HTTP 413: it is larger than the server"),
        (AnswerError({"ResponseMetadata": {"HTTPStatusCode": 403}}), "HTTP 403: these credentials may not write"),
        (AnswerError(SimpleNamespace(status_code=502)), "HTTP 502: the server, or the store behind it, failed"),
        (AnswerError(SimpleNamespace(status_code=418)), "HTTP 418: it refuses this request"),
        (ValueError("API request failed with error code 401 != 200"), "HTTP 401: it wants credentials"),
        (ValueError("too many 503 error responses"), "HTTP 503: the server, or the store behind it, failed"),
        (ValueError("something else"), "RuntimeError (the library's own words, http://host/x?"),
    ],
)
def test_the_cause_behind_an_error_is_said_and_never_a_password(cause: Exception, said: str) -> None:
    text = explain(caused_by(cause))

    assert text.startswith(said)
    assert "secret" not in text


def test_only_a_no_of_mlflow_itself_is_for_good() -> None:
    refused = Exception("INVALID_PARAMETER_VALUE: changing a parameter")
    proxied = Exception("API request failed with error code 404 != 200")
    for error in (refused, proxied):
        error.get_http_status_code = lambda: 400  # type: ignore[attr-defined] # as MLflow's have

    assert is_refusal(refused)
    assert not is_refusal(proxied)
    assert not is_refusal(TimeoutError())
    assert http_status(proxied) == 404
