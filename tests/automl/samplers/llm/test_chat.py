"""The door to a language model: what is sent, what is retried, and that the key is never shown."""

from __future__ import annotations

import pytest

from automl.errors import LaunchError
from automl.samplers.llm.chat import Endpoint, ask_model, check_endpoint, read_endpoint
from tests.automl.samplers.fake_endpoint import KEY, FakeEndpoint

MESSAGES = [{"role": "system", "content": "x"}, {"role": "user", "content": "{}"}]


def ask(fake: FakeEndpoint) -> str:
    endpoint = read_endpoint(fake.environment)
    assert endpoint is not None
    return ask_model(endpoint, MESSAGES)


def test_the_key_is_a_bearer_token_and_the_conversation_is_sent_as_it_is() -> None:
    with FakeEndpoint() as fake:
        fake.answer = lambda _: "hello"
        assert ask(fake) == "hello"

    ((headers, document),) = fake.requests
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert document == {"path": "/v1/chat/completions", "model": "fake", "messages": MESSAGES}


def test_what_fails_for_a_moment_is_sent_again() -> None:
    with FakeEndpoint() as fake:
        fake.failures = [503, 429]
        fake.answer = lambda _: "at last"
        assert ask(fake) == "at last"

    assert len(fake.requests) == 3


def test_what_fails_for_good_is_an_error_without_the_key() -> None:
    with FakeEndpoint() as fake:
        fake.failures = [401]
        with pytest.raises(LaunchError, match="status 401") as caught:
            ask(fake)

    assert len(fake.requests) == 1
    assert KEY not in str(caught.value)
    assert "[key]" in str(caught.value)


def test_an_empty_answer_and_one_without_a_message_are_errors() -> None:
    with FakeEndpoint() as fake:
        fake.answer = lambda _: "  "
        with pytest.raises(LaunchError, match="an empty message"):
            ask(fake)
        fake.failures = [200]
        with pytest.raises(LaunchError, match="an answer without a message"):
            ask(fake)


def test_an_endpoint_that_is_down_is_named_without_password_and_key() -> None:
    endpoint = Endpoint(base_url="http://user:password@127.0.0.1:9/v1", model="m", key=KEY)

    with pytest.raises(LaunchError) as caught:
        ask_model(endpoint, MESSAGES)

    assert "http://127.0.0.1:9/v1" in str(caught.value)
    assert "password" not in str(caught.value)
    assert KEY not in repr(endpoint) + str(caught.value)


def test_the_environment_names_the_endpoint_under_either_prefix_and_every_gap_is_named() -> None:
    own = {
        "AUTOML_LLM_MODEL": "mine",
        "OPENAI_MODEL": "theirs",
        "OPENAI_BASE_URL": "http://h/v1/",
        "OPENAI_API_KEY": KEY,
    }

    assert read_endpoint(own) == Endpoint(base_url="http://h/v1", model="mine", key=KEY)
    assert check_endpoint(own) == ()
    assert read_endpoint({}) is None
    assert [p.where for p in check_endpoint({})] == ["AUTOML_LLM_BASE_URL", "AUTOML_LLM_MODEL"]
    assert [p.found for p in check_endpoint({**own, "OPENAI_BASE_URL": "h/v1"})] == ["no http address"]
