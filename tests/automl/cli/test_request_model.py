"""`--request-model`: a language model reads the text, it is held to the rules, and a person confirms."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from automl.cli.app import run_command_line
from automl.errors import LaunchError
from automl.samplers.llm import chat
from tests.automl.samplers.fake_endpoint import KEY, FakeEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = "bitte fünf Versuche und höchstens zwei Stunden"
READING = {
    "readings": [
        {"setting": "trials", "value": 5, "words": "fünf Versuche"},
        {"setting": "time_s", "value": 7200, "words": "höchstens zwei Stunden"},
    ]
}


class Reader(FakeEndpoint):
    """Answers with texts, one after the other, the last one again and again."""

    answers: list[str]
    delay_s = 0.0

    def reply(self, headers: dict[str, str], document: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.requests.append((headers, document))
        time.sleep(self.delay_s)
        if self.failures:
            return self.failures.pop(0), {"error": "no"}
        text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return 200, {"choices": [{"message": {"content": text}}]}


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    with Reader(monkeypatch) as endpoint:
        endpoint.answers = [json.dumps(READING)]
        yield endpoint


def ask(command: str, folder: Path, *more: str) -> list[str]:
    return [command, "toy/quick", "--results", str(folder), "--json", "--request", TEXT, "--request-model", *more]


def test_the_plan_shows_what_the_model_has_read_and_by_which_words(
    reader: Reader, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(ask("plan", tmp_path, "--strict")) == 0

    document = json.loads(capsys.readouterr().out)
    assert (document["budget"]["trials"], document["budget"]["time_s"]) == (5, 7200.0)
    read = document["request_text"]["understood"]["trials"]
    assert read == {"text": "fünf Versuche", "meaning": "5 trials (read by fake)"}
    assert len(reader.requests) == 1
    assert KEY not in json.dumps(document)


def test_nothing_starts_before_the_reading_is_confirmed(
    reader: Reader, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object, **__: object) -> None:
        raise LaunchError("came so far")

    monkeypatch.setattr("automl.run.run_plan", started)

    assert run_command_line(ask("run", tmp_path)) == 2
    problem = json.loads(capsys.readouterr().out)["problems"][0]
    assert '"fünf Versuche": 5 trials' in problem["found"]
    assert "--yes" in problem["fix"]
    assert run_command_line(ask("run", tmp_path, "--yes")) == 4
    assert json.loads(capsys.readouterr().out)["error"] == "came so far"
    assert len(reader.requests) == 2


def test_an_answer_that_breaks_a_rule_is_sent_back_and_corrected(
    reader: Reader, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reader.answers = ["I think: five", json.dumps({"readings": [{"setting": "trials"}]}), json.dumps(READING)]

    assert run_command_line(ask("plan", tmp_path)) == 0

    assert json.loads(capsys.readouterr().out)["budget"]["trials"] == 5
    assert "not a mapping" in reader.requests[1][1]["messages"][-1]["content"]


@pytest.mark.parametrize(
    "text", ["no JSON", '{"readings": [', '{"readings": [{"setting": "policy", "value": "on", "words": "search"}]}']
)
def test_a_model_that_keeps_breaking_the_rules_stops_the_run(
    reader: Reader, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    reader.answers = [text]

    assert run_command_line(ask("run", tmp_path, "--yes")) == 2
    assert json.loads(capsys.readouterr().out)["problems"][0]["where"] == "--request-model fake"
    assert len(reader.requests) == 3
    assert list(tmp_path.iterdir()) == []


def test_what_the_model_leaves_open_still_stops_the_run(
    reader: Reader, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reader.answers = ['{"readings": []}']

    assert run_command_line(ask("run", tmp_path, "--yes")) == 2
    assert json.loads(capsys.readouterr().out)["problems"][0]["where"] == "--request"


def test_an_endpoint_that_is_slow_or_refuses_starts_nothing(
    reader: Reader, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.failures = [401]

    assert run_command_line(ask("run", tmp_path, "--yes")) == 4
    error = json.loads(capsys.readouterr().out)
    assert error["error"] == "the language model did not read the request; nothing was started"
    assert "--request-model" in error["problems"][0]["fix"]

    reader.delay_s = 0.5
    monkeypatch.setattr(chat, "_TIMEOUT_S", (1.0, 0.05))
    monkeypatch.setattr(chat, "_RETRIES", 0)
    assert run_command_line(ask("run", tmp_path, "--yes")) == 4
    assert list(tmp_path.iterdir()) == []


def test_without_a_text_or_an_endpoint_there_is_nothing_to_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BASE_URL", "MODEL", "API_KEY"):
        monkeypatch.delenv(f"AUTOML_LLM_{name}", raising=False)
        monkeypatch.delenv(f"OPENAI_{name}", raising=False)

    assert run_command_line(["plan", "toy/quick", "--results", str(tmp_path), "--request-model"]) == 2
    assert run_command_line(ask("plan", tmp_path)) == 4
    assert "AUTOML_LLM_BASE_URL" in capsys.readouterr().err
