"""Notify when a study is over: a command gets its summary as JSON on standard input, an address by HTTP POST.

The address may hold a secret: it is not written or logged, and only its host is shown. A notification that fails is a
warning.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import re
import shlex
import shutil
import subprocess
import threading
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

_SCHEMES = {"http", "https"}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
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


def target_problem(target: str) -> str:
    """Return why nothing can be sent to a target, without its secrets; empty where it may work."""
    scheme = _SCHEME.match(target)
    if scheme is not None and scheme[1].lower() not in _SCHEMES:
        return f"an address of {scheme[1]}://"
    try:
        if scheme is None:
            return "" if shutil.which(shlex.split(target)[0]) else "a command whose program is not there"
        parts = urlsplit(target)
        is_complete = parts.hostname and parts.port != 0
    except (ValueError, IndexError):
        return "an address or a command that cannot be read"
    return "" if is_complete else "an address without a host, or of port 0"


def notify(target: str, document: dict[str, Any]) -> bool:
    """Send a document to a command or an address; a failure is logged and returns False."""
    content = json.dumps(document).encode()
    problem = target_problem(target)
    if problem:
        name = "the target"
    elif _SCHEME.match(target):
        name, problem = f"POST to {urlsplit(target).hostname}", _within_limit(target, content)
    else:
        name, problem = "the command", _run(target, content)
    if problem:
        logger.warning("notification failed: %s: %s", name, problem)
    return not problem


def _within_limit(address: str, content: bytes) -> str:
    """Send, and wait for the answer as long as the limit says: that of a socket is one of each byte."""
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(_post(address, content)), daemon=True)
    thread.start()
    thread.join(_POST_LIMIT_S)
    return said[0] if said else f"no answer within {_POST_LIMIT_S:g} s"


def _post(address: str, content: bytes) -> str:
    headers = {"Content-Type": "application/json", "User-Agent": "automl"}
    parts = urlsplit(address)
    login, _, host = parts.netloc.rpartition("@")
    try:
        bare = parts._replace(netloc=host).geturl()
        request = urllib.request.Request(bare, data=content, headers=headers)  # noqa: S310 # the caller checked it
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
