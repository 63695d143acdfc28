"""Ask an MLflow server over its REST interface: without the five seconds that importing MLflow takes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

_TIMEOUT_S = (3.0, 10.0)


def is_server(tracking_uri: str | None) -> bool:
    """Tell whether a tracking URI names a server."""
    return tracking_uri is not None and tracking_uri.startswith(("http://", "https://"))


def open_session() -> requests.Session:
    """Return a session with the credentials and certificates that MLflow's own variables name."""
    import requests  # noqa: PLC0415 - only where a server is asked

    session = requests.Session()
    session.verify = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or (
        os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() not in {"true", "1"}
    )
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        session.headers["Authorization"] = f"Bearer {token}"
    elif user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
        session.auth = (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", ""))
    return session


def ask(session: requests.Session, tracking_uri: str, what: str, question: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a question: ``experiments/search`` is posted, any other one is got.

    Raises:
        requests.RequestException: no answer, or a status that is no success.
        ValueError: an answer that is no JSON.
    """
    url = f"{tracking_uri.rstrip('/')}/api/2.0/mlflow/{what}"
    if what.endswith("/search"):
        answer = session.post(url, json=question, timeout=_TIMEOUT_S)
    else:
        answer = session.get(url, params=question, timeout=_TIMEOUT_S)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found
