"""Why a server or a store of artifacts did not take something: a sentence with what to do, never with a password.

What is behind an error is looked for in the chain of its causes, by attributes: errors of requests, urllib3, boto and
MLflow are understood without importing any of them.
"""

from __future__ import annotations

import re
from errno import EDQUOT, ENOSPC
from http import HTTPStatus
from tempfile import gettempdir
from typing import TYPE_CHECKING

from automl.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGES = {
    "boto3": "'automl-vision[s3]'",
    "botocore": "'automl-vision[s3]'",
    "google": "google-cloud-storage",
    "azure": "azure-storage-blob azure-identity",
    "psycopg2": "psycopg2-binary",
    "pymysql": "pymysql",
}
_SENTENCES = {
    400: "it does not take this request",
    401: "it wants credentials: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
    403: "these credentials may not write there: ask for that right, or use other credentials",
    404: "it has no such address, bucket or store: correct the URI, or start MLflow's server with --serve-artifacts",
    413: "it is larger than the server, or a proxy before it, accepts: raise that limit (nginx: client_max_body_size)",
    429: "too many requests; it is tried again",
}
_NO_CREDENTIALS = "no credentials for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
_NO_ANSWER = "no answer in time: see whether the server is overloaded, or a firewall is between"
_BY_CLASS = {
    "JSONDecodeError": "what answers there is no MLflow: correct the URI, or log in at the proxy before it",
    "gaierror": "the host name is not known: correct the URI, or the DNS",
    "ConnectionRefusedError": "connection refused, nothing listens there: start the server, or correct the URI",
    "NoCredentialsError": _NO_CREDENTIALS,
    "PartialCredentialsError": _NO_CREDENTIALS,
    "TimeoutError": _NO_ANSWER,
    "ConnectTimeoutError": _NO_ANSWER,
    "ReadTimeoutError": _NO_ANSWER,
}
_FULL = {ENOSPC, EDQUOT}
_SERVER_ERROR = 500
_SERVER_FAILED = "the server, or the store behind it, failed: see its log; it is tried again"
_STATUS_IN_TEXT = re.compile(r"failed with error code (\d{3})|too many (\d{3}) error responses")
_PASSWORD = re.compile(r"(?<=//)[^/@\s]+@|(?<=[?&])[^=&\s]+=[^&\s)'\"]+")
_MAX_DETAIL = 300


def explain(error: BaseException) -> str:
    """Return why something was not taken and what to do, as one line, with the error's own words in parentheses."""
    if isinstance(error, ConfigurationError):
        return f"{error.problems[0].found}: {error.problems[0].fix}"
    known = next(filter(None, map(_known, _causes(error))), None)
    status = http_status(error)
    if known is None and status is not None:
        said = _SENTENCES.get(status, _SERVER_FAILED if status >= _SERVER_ERROR else "it refuses this request")
        known = f"HTTP {status}: {said}"
    return f"{known or type(error).__name__} ({detail(error)})"


def not_installed(module: str) -> str:
    """Return the sentence about a module that is not installed."""
    name = module.partition(".")[0]
    return f"{name} is not installed: pip install {_PACKAGES.get(name, name)}"


def _known(error: BaseException) -> str | None:
    """Return the sentence about an error that is no answer of a server."""
    if isinstance(error, ImportError):
        return not_installed(error.name or str(error))
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: make room there, or the right to write"
    if isinstance(error, OSError) and error.errno in _FULL:
        return f"{error.strerror}: make room in {gettempdir()} (TMPDIR), or where the artifacts lie"
    return _BY_CLASS.get(type(error).__name__)


def http_status(error: BaseException) -> int | None:
    """Return the status of the HTTP answer that is behind an error; None where there was no answer."""
    for cause in _causes(error):
        response = getattr(cause, "response", None)
        if isinstance(response, dict):  # boto
            response = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        found = getattr(response, "status_code", response)
        if isinstance(found, int):
            return found
        if match := _STATUS_IN_TEXT.search(str(cause)):
            return int(match[1] or match[2])
        if hasattr(cause, "json") and hasattr(cause, "get_http_status_code"):  # an answer of MLflow's own
            return int(cause.get_http_status_code())
    return None


def is_refusal(error: BaseException) -> bool:
    """Tell whether MLflow itself said no and would say so again; a proxy, or a server in trouble, may not."""
    if not hasattr(error, "get_http_status_code") or _STATUS_IN_TEXT.search(str(error)):
        return False
    return error.get_http_status_code() in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}


def detail(error: BaseException) -> str:
    """Return the error's own words in one line, without user, password and query of addresses."""
    text = _PASSWORD.sub("", " ".join(str(error).split())) or type(error).__name__
    return text if len(text) <= _MAX_DETAIL else f"{text[:_MAX_DETAIL]} ..."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
