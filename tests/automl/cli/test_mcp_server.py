"""The server of tools for agents, by the SDK's own client over stdin and stdout."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("mcp")

import anyio
from mcp import Client, StdioServerParameters

from automl.cli.mcp_server import _Job

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    Call = Callable[..., Awaitable[dict[str, Any]]]

SERVER = ["-m", "automl.cli.app", "mcp"]


def serve(folder: Path, scenario: Callable[[Call], Awaitable[None]]) -> None:
    """Run a scenario of calls against a server that works in a folder."""

    async def main() -> None:
        parameters = StdioServerParameters(command=sys.executable, args=SERVER, cwd=folder)
        async with Client(parameters) as client:

            async def call(name: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 # plain data
                result = await client.call_tool(name, arguments)
                document: dict[str, Any] = result.structured_content
                assert result.is_error == ("error" in document)
                assert json.loads(result.content[0].text) == document  # type: ignore[union-attr] # text alone is sent
                return document

            await scenario(call)

    anyio.run(main)


async def until(call: Call, study_dir: str, is_there: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    with anyio.fail_after(120):
        while True:
            document = await call("status", study_dir=study_dir)
            if is_there(document):
                return document
            await anyio.sleep(0.5)


async def ended(call: Call, study_dir: str) -> dict[str, Any]:
    return await until(call, study_dir, lambda document: document.get("state") not in {"starting", "running"})


def test_stdout_holds_only_the_protocol_and_the_server_ends_with_its_input(tmp_path: Path) -> None:
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
    ]
    text = "".join(json.dumps(message) + "\n" for message in messages)

    with subprocess.Popen(
        [sys.executable, *SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(text)
        server.stdin.flush()
        answers = [json.loads(server.stdout.readline()) for _ in range(2)]
        server.stdin.close()
        assert server.stdout.read() == ""
        assert server.wait(timeout=60) == 0

    assert [answer["id"] for answer in answers] == [1, 2]
    assert answers[0]["result"]["serverInfo"]["name"] == "automl"
    assert len(answers[1]["result"]["tools"]) == 11
    assert list(tmp_path.iterdir()) == []


def test_bad_calls_are_answered_with_their_problems_and_run_nothing(tmp_path: Path) -> None:
    async def scenario(call: Call) -> None:
        assert "no tool nosuch" in (await call("nosuch"))["error"]
        assert (await call("plan", trials=0))["problems"][0]["where"] == "plan: trials"
        assert (await call("run", study="toy/quick"))["problems"][0]["expected"] == "the key fingerprint"
        changed = await call("run", study="toy/quick", fingerprint="0" * 64)
        assert changed["problems"][0]["where"] == "--fingerprint"
        assert (await call("status", study_dir="nowhere"))["exit_status"] == 2
        assert (await call("logs", study_dir="nowhere", trial=0))["problems"][0]["found"].startswith("no readable plan")
        assert "cannot be started" in (await call("stop", study_dir="a\0b"))["error"]
        assert "cannot be started" in (await call("status", study_dir="a" * 1_000_000))["error"]
        assert "skills" in await call("list", folder=None)

    serve(tmp_path, scenario)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.acceptance
def test_an_agent_plans_runs_follows_compares_and_evaluates_a_study(tmp_path: Path) -> None:
    async def scenario(call: Call) -> None:
        asked: dict[str, Any] = {"study": "toy/quick", "trials": 3, "set": {"train.num_epochs": 3}}
        plan = await call("plan", **asked)
        assert (plan["route"], plan["not_runnable"], plan["cost"]["trials"]) == ("tune", [], 3)
        for change in ({"trials": 4}, {"set": {"train.num_epochs": 4}}, {"results": "elsewhere"}, {"jobs": 1}):
            refused = await call("run", **{**asked, **change}, fingerprint=plan["fingerprint"])
            assert refused["problems"][0]["where"] == "--fingerprint", change

        started = await call("run", **asked, fingerprint=plan["fingerprint"])
        assert (started["state"], started["study_dir"]) == ("running", plan["study_dir"])
        study = started["study_dir"]
        document = await ended(call, study)

        assert document["state"] == "completed"
        assert len(document["trials"]) == 3
        assert (await call("logs", study_dir=study, trial=0, lines=2))["lines"][-1].startswith("epoch 3/3")
        assert len((await call("compare", study_dirs=[study], top=2))["trials"]) == 2
        assert (await call("evaluate", study_dir=study))["status"] == "measured"
        assert "--set foo" in (await call("evaluate", study_dir=study, set={"foo": 3}))["problems"][0]["where"]
        assert "no action export" in (await call("export", study_dir=study))["error"]
        assert [row["name"] for row in (await call("list", studies=True, folder="results"))["studies"]] == ["toy-quick"]

    serve(tmp_path, scenario)


@pytest.mark.slow
@pytest.mark.acceptance
def test_an_agent_stops_a_study_and_reads_why_it_has_ended(tmp_path: Path) -> None:
    async def scenario(call: Call) -> None:
        asked: dict[str, Any] = {"study": "toy/quick", "set": {"train.seconds_per_epoch": 0.5}}
        plan = await call("plan", **asked)
        study = (await call("run", **asked, fingerprint=plan["fingerprint"]))["study_dir"]
        await until(call, study, lambda document: bool(document.get("trials")))
        # An agent that tries again does not pay twice.
        assert (await call("run", **asked, fingerprint=plan["fingerprint"]))["study_dir"] == study
        assert "asked to end" in (await call("stop", study_dir=study))["text"]

        document = await ended(call, study)
        assert "stopped by the user" in document["end_reason"]
        assert (await call("stop", study_dir=study))["exit_status"] == 3

    serve(tmp_path, scenario)


def test_the_files_of_a_job_go_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    job = _Job.start(["--version"])
    assert job.wait(60)
    assert "automl" in job.document()["text"]

    job.forget()

    assert list(tmp_path.iterdir()) == []
