"""The door to a language model: what is sent, what is retried, and that the key is never shown."""

from __future__ import annotations

import pytest

from automl.errors import LaunchError
from automl.samplers.llm.chat import Endpoint, ask_model, check_endpoint, read_endpoint
from tests.automl.samplers.fake_endpoint import KEY, FakeEndpoint

MESSAGES = [{"role": "system", "content": "x"}, {"role": "user", "content": "{}"}]


def ask() -> str:
    endpoint = read_endpoint()
    assert endpoint is not None
    return ask_model(endpoint, MESSAGES)


def test_the_key_is_a_bearer_token_and_the_conversation_is_sent_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeEndpoint(monkeypatch) as fake:
        fake.answer = lambda _: "hello"
        assert ask() == "hello"

    ((headers, document),) = fake.requests
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert document == {"path": "/v1/chat/completions", "model": "fake", "messages": MESSAGES}


def test_what_fails_for_a_moment_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeEndpoint(monkeypatch) as fake:
        fake.failures = [503, 429]
        fake.answer = lambda _: "at last"
        assert ask() == "at last"

    assert len(fake.requests) == 3


def test_what_fails_for_good_is_an_error_without_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeEndpoint(monkeypatch) as fake:
        fake.failures = [401]
        with pytest.raises(LaunchError, match="status 401") as caught:
            ask()

    assert len(fake.requests) == 1
    assert KEY not in str(caught.value)
    assert "[key]" in str(caught.value)


def test_an_empty_answer_and_one_without_a_message_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeEndpoint(monkeypatch) as fake:
        fake.answer = lambda _: "  "
        with pytest.raises(LaunchError, match="an empty message"):
            ask()
        fake.failures = [200]
        with pytest.raises(LaunchError, match="an answer without a message"):
            ask()


def test_an_endpoint_that_is_down_is_named_without_password_and_key() -> None:
    endpoint = Endpoint(base_url="http://user:password@127.0.0.1:9/v1", model="m", key=KEY)

    with pytest.raises(LaunchError) as caught:
        ask_model(endpoint, MESSAGES)

    assert "http://127.0.0.1:9/v1" in str(caught.value)
    assert "password" not in str(caught.value)
    assert KEY not in repr(endpoint) + str(caught.value)


def test_the_environment_names_the_endpoint_under_either_prefix_and_every_gap_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for prefix in ("AUTOML_LLM", "OPENAI"):
        for name in ("BASE_URL", "MODEL", "API_KEY"):
            monkeypatch.delenv(f"{prefix}_{name}", raising=False)
    assert read_endpoint() is None
    assert [p.where for p in check_endpoint()] == ["AUTOML_LLM_BASE_URL", "AUTOML_LLM_MODEL"]

    monkeypatch.setenv("AUTOML_LLM_MODEL", "mine")
    monkeypatch.setenv("OPENAI_MODEL", "theirs")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://h/v1/")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert read_endpoint() == Endpoint(base_url="http://h/v1", model="mine", key=KEY)
    assert check_endpoint() == ()

    monkeypatch.setenv("OPENAI_BASE_URL", "h/v1")
    assert [p.found for p in check_endpoint()] == ["no http address"]
