"""Notify when a study is over: a command gets its summary as JSON on standard input, an address by HTTP POST.

The address may hold a secret: it is not written or logged, and only its host is shown. A notification that fails is a
warning.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import shlex
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

from automl.tracking.base import Tracker
from automl.tracking.mlflow.folder import recorded_document

if TYPE_CHECKING:
    from pathlib import Path

    from automl.storage.event_log import Entry
    from automl.storage.paths import StudyPaths

logger = logging.getLogger(__name__)

_COMMAND_LIMIT_S = 60.0
_POST_LIMIT_S = 10.0


class NotifyTracker(Tracker):
    """Notifies once, when it is closed, if the study has started.

    Args:
        target: An ``http://`` or ``https://`` address, or a command line.
        directory: Of a study that has started before.
    """

    def __init__(self, target: str, directory: Path | None = None) -> None:
        self._target = target
        self._directory = directory

    def open(self, study: StudyPaths) -> None:
        """Note which study has started."""
        self._directory = study.root

    def record(self, entry: Entry) -> None:
        """Do nothing: only the end counts."""

    def close(self) -> None:
        """Send the summary: the fields of ``automl status --json`` and ``outcome``."""
        if self._directory is None:
            return
        document = recorded_document(self._directory)
        notify(self._target, {"outcome": document["state"], **document})
        self._directory = None


def notify(target: str, document: dict[str, Any]) -> bool:
    """Send a document to a command or an address; a failure is logged and returns False."""
    content = json.dumps(document).encode()
    if not target.startswith(("http://", "https://")):
        name, problem = "the command", _run(target, content)
    else:
        try:
            host = urlsplit(target).hostname or "no host"
        except ValueError:
            host = "an address that cannot be read"
        name, problem = f"POST to {host}", _post(target, content)
    if problem:
        logger.warning("notification failed: %s: %s", name, problem)
    return not problem


def _post(address: str, content: bytes) -> str:
    headers = {"Content-Type": "application/json", "User-Agent": "automl"}
    try:
        parts = urlsplit(address)
        login, _, host = parts.netloc.rpartition("@")
        address = parts._replace(netloc=host).geturl()
        request = urllib.request.Request(address, data=content, headers=headers)  # noqa: S310 # the caller checked it
        if login:
            # Not to where the host redirects to.
            request.add_unredirected_header("Authorization", f"Basic {b64encode(unquote_to_bytes(login)).decode()}")
        with urllib.request.urlopen(request, timeout=_POST_LIMIT_S):  # noqa: S310 # the same
            return ""
    except urllib.error.HTTPError as error:
        return f"status {error.code}"
    except urllib.error.URLError as error:
        return f"no answer ({type(error.reason).__name__})"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"no answer ({type(error).__name__})"


def _run(command: str, content: bytes) -> str:
    try:
        done = subprocess.run(  # noqa: S603 # the user's own command, no shell
            shlex.split(command), input=content, stdout=subprocess.DEVNULL, timeout=_COMMAND_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it did not end within {_COMMAND_LIMIT_S:g} s"
    except OSError as error:
        return f"it cannot be started: {os.strerror(error.errno or 0)}"
    except ValueError as error:
        return f"it cannot be read: {error}"
    return f"it ended with status {done.returncode}" if done.returncode else ""
