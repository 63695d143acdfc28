"""The door to a language model: any endpoint that speaks the chat protocol of OpenAI.

Where it is and how to sign in come from the environment and from nowhere else: AUTOML_LLM_BASE_URL, AUTOML_LLM_MODEL,
AUTOML_LLM_API_KEY, or OPENAI_BASE_URL, OPENAI_MODEL, OPENAI_API_KEY. The key is sent to that address, and is in no
message, log, spec or record.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from automl.errors import LaunchError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PREFIXES = ("AUTOML_LLM", "OPENAI")
_TIMEOUT_S = (10.0, 180.0)
_RETRIES = 3
_RETRIED_STATUSES = (408, 409, 429, 500, 502, 503, 504)
_SHOWN = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a language model is.

    Attributes:
        base_url: Up to and with its version, e.g. ``http://localhost:8000/v1``.
        model: Name of the model.
        key: Sent as a bearer token; empty for endpoints without one. Never shown.
    """

    base_url: str
    model: str
    key: str = field(default="", repr=False)

    @property
    def address(self) -> str:
        """The address as it may be shown: without user, password and query."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def hide_key(self, text: str) -> str:
        """Return a text without the key."""
        return text.replace(self.key, "[key]") if self.key else text


def read_endpoint() -> Endpoint | None:
    """Return the endpoint that the environment names; None where address or model are missing."""
    base_url, model = _variable("BASE_URL"), _variable("MODEL")
    if not base_url or not model:
        return None
    return Endpoint(base_url=base_url.rstrip("/"), model=model, key=_variable("API_KEY"))


def check_endpoint() -> tuple[Problem, ...]:
    """Return what is missing in the environment; empty when an endpoint is named."""
    names = {"BASE_URL": "the address, e.g. http://localhost:8000/v1", "MODEL": "the name of a model"}
    problems = [
        Problem(where=f"AUTOML_LLM_{name}", found="not set", expected=what, fix=f"export AUTOML_LLM_{name}=...")
        for name, what in names.items()
        if not _variable(name)
    ]
    url = _variable("BASE_URL")
    if url and urlsplit(url).scheme not in {"http", "https"}:
        problems.append(
            Problem(where="AUTOML_LLM_BASE_URL", found="no http address", expected=names["BASE_URL"], fix="correct it")
        )
    return tuple(problems)


def ask_model(endpoint: Endpoint, messages: Sequence[Mapping[str, str]]) -> str:
    """Return the model's answer to a conversation; requests that fail temporarily are sent again, three times.

    Raises:
        LaunchError: no answer, an answer that is an error, or one without text. The key is not in it.
    """
    import requests  # noqa: PLC0415 - only where a language model is asked
    from requests.adapters import HTTPAdapter  # noqa: PLC0415 - see above
    from urllib3.util import Retry  # noqa: PLC0415 - see above

    retry = Retry(
        total=_RETRIES, backoff_factor=0.5, status_forcelist=_RETRIED_STATUSES, allowed_methods=["POST"],
        raise_on_status=False,
    )  # fmt: skip
    headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
    with requests.Session() as session:
        # A .netrc of the user must not replace the key that was asked for.
        session.trust_env = False
        session.mount("http://", HTTPAdapter(max_retries=retry))
        session.mount("https://", HTTPAdapter(max_retries=retry))
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        session.proxies.update(requests.utils.get_environ_proxies(endpoint.base_url))
        try:
            response = session.post(
                f"{endpoint.base_url}/chat/completions",
                json={"model": endpoint.model, "messages": list(messages)},
                headers=headers,
                timeout=_TIMEOUT_S,
            )
        except requests.RequestException as error:
            raise _no_answer(endpoint, str(error)) from None
    if not response.ok:
        raise _no_answer(endpoint, f"status {response.status_code}: {response.text[:_SHOWN]}")
    try:
        document: Any = response.json()
        text = document["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        raise _no_answer(endpoint, f"an answer without a message: {response.text[:_SHOWN]}") from None
    if not isinstance(text, str) or not text.strip():
        raise _no_answer(endpoint, "an empty message")
    return text


def _no_answer(endpoint: Endpoint, found: str) -> LaunchError:
    shown = endpoint.hide_key(" ".join(found.split()).replace(endpoint.base_url, endpoint.address))
    problem = Problem(
        where=endpoint.address,
        found=shown[:_SHOWN],
        expected=f"an answer of {endpoint.model} in the chat protocol of OpenAI",
        fix="check AUTOML_LLM_BASE_URL, AUTOML_LLM_MODEL and AUTOML_LLM_API_KEY, then go on with `automl resume`",
    )
    return LaunchError(
        "the language model that proposes trials did not answer; nothing was drawn in its place", [problem]
    )


def _variable(name: str) -> str:
    return next((found for prefix in _PREFIXES if (found := os.environ.get(f"{prefix}_{name}", "").strip())), "")
