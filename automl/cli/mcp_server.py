"""Serve the tools of `automl.cli.mcp_tools` to an agent over MCP on stdin and stdout; the only door to the SDK.

Every call is a command in a process of its own, as a person would start it, so nothing it prints can reach the
protocol. A study runs in a session of its own and outlives the server: it is found again by its folder.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as types
from anyio.to_thread import run_sync
from mcp.server import Server
from mcp.server.stdio import stdio_server

from automl.cli.mcp_tools import command_line, input_schema, tools
from automl.errors import ConfigurationError
from automl.schema_problems import problems_by
from automl.storage.paths import StudyPaths

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcp.server import ServerRequestContext

Document = dict[str, Any]

_COMMAND_LIMIT_S = 120.0
_START_LIMIT_S = 20.0
_ACTION_WAIT_S = 25.0
_POLL_S = 0.1
_PROBLEM = re.compile(
    r"  (?P<where>.+)\n    found {5}(?P<found>.+)\n    expected {2}(?P<expected>.+)\n    fix {7}(?P<fix>.+)"
)
_SHOWN_LINES = 40
_INSTRUCTIONS = (
    "A study is a search of trials, or one training. Call plan, show what it will do and what it costs to the user, "
    "then run with its fingerprint and the same arguments, then status until the state is no longer running. "
    "Paths are relative to the server's working directory. Never invent data paths, metrics or a budget."
)
_PLANNED = (
    *("route", "reasons", "objective", "objective_source", "objectives", "constraints", "replicates", "race"),
    *("sampler", "weighed_by", "scheduler", "seed", "max_epochs", "options", "budget", "resources", "machine"),
    *("first_trials", "data", "data_check", "missing_weights", "mlflow", "study_dir", "agreement"),
)


@dataclass(slots=True)
class _Job:
    """A command that goes on while nobody waits for it; what it prints is in two files."""

    process: subprocess.Popen[bytes]
    folder: tempfile.TemporaryDirectory[str]
    out: Path
    err: Path

    @classmethod
    def start(cls, command: list[str]) -> _Job:
        folder = tempfile.TemporaryDirectory(prefix="automl-mcp-")
        out, err = Path(folder.name) / "out.json", Path(folder.name) / "log.txt"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(  # noqa: S603 - this program, with arguments that fit the tool's schema
                _argv(command), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
            )
        return cls(process, folder, out, err)

    def wait(self, limit_s: float, until: Path | None = None) -> bool:
        """Wait for the end, or for a file; return whether the command has ended."""
        deadline_s = time.monotonic() + limit_s
        while self.process.poll() is None and time.monotonic() < deadline_s:
            if until is not None and until.exists():
                return False
            time.sleep(_POLL_S)
        return self.process.poll() is not None

    def document(self) -> Document:
        """Return the result of a command that has ended."""
        return _document(self.process.returncode, _text(self.out), _text(self.err))

    def output(self) -> list[str]:
        """Return the last lines for people."""
        return _text(self.err).splitlines()[-_SHOWN_LINES:]

    def forget(self) -> None:
        """Remove the two files; a command that goes on writes into what nobody sees."""
        self.folder.cleanup()


@dataclass(slots=True)
class Desk:
    """What a server remembers: the jobs that it has started, by their study, or by their command."""

    jobs: dict[str, _Job] = field(default_factory=dict)
    studies: dict[str, str] = field(default_factory=dict)
    """Fingerprint of a plan -> the study that was started last for it."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, name: str, arguments: Mapping[str, Any]) -> Document:
        """Answer a call with a document; one that cannot be answered has ``error``, as with ``--json``."""
        arguments = {key: value for key, value in arguments.items() if value is not None}
        known = {tool.name for tool in tools()}
        if name not in known:
            return {"error": f"no tool {name}", "exit_status": 2, "problems": [], "tools": sorted(known)}
        problems = problems_by(input_schema(name), arguments, where=name, source=f"the input schema of {name}")
        if problems:
            return ConfigurationError.from_problems(problems, subject="the arguments").document()
        answers: dict[str, Callable[[str, Mapping[str, Any]], Document]] = {
            "plan": _plan,
            "run": self._run,
            "status": self._status,
            "logs": _logs,
            "evaluate": self._act,
            "export": self._act,
        }
        try:
            return answers.get(name, _answer)(name, arguments)
        except (OSError, ValueError) as error:  # a NUL, or more text than a command line can hold
            return {"error": f"automl {name} cannot be started: {error}", "exit_status": 4, "problems": []}

    def _run(self, name: str, arguments: Mapping[str, Any]) -> Document:
        asked = {key: value for key, value in arguments.items() if key not in {"fingerprint", "smoke", "no_check"}}
        planned = _run_command(command_line("plan", asked))
        if "error" in planned:
            return planned
        started = self.studies.get(arguments["fingerprint"])
        if started is not None and not self.jobs[started].wait(0):  # the agent tries again: once is enough
            return {"study_dir": started, "state": "running", "next": "this plan already runs: call status"}
        root, command = planned["study_dir"], command_line(name, arguments)
        command.insert(1, f"--study-dir={root}")
        if planned["run_fingerprint"] == arguments["fingerprint"]:
            self.jobs[root] = _Job.start([command[0], "--yes", *command[1:]])
            self.studies[arguments["fingerprint"]] = root
            if self.jobs[root].wait(_START_LIMIT_S, until=StudyPaths(Path(root)).plan_file):
                document = self.jobs[root].document()
                return document if "error" in document else {"state": "completed", **document, "study_dir": root}
            return {"study_dir": root, "state": "running", "next": "call status with this study_dir"}
        return _run_command(command)  # refuses it, and says why

    def _status(self, name: str, arguments: Mapping[str, Any]) -> Document:
        root = str(Path(arguments["study_dir"]).absolute())
        document, job = _answer(name, arguments), self.jobs.get(root)
        has_ended = job is not None and job.wait(0)
        if job is None or "error" not in document:
            return document
        return job.document() if has_ended else {"study_dir": root, "state": "starting", "output": job.output()}

    def _act(self, name: str, arguments: Mapping[str, Any]) -> Document:
        command = command_line(name, arguments)
        key = json.dumps(command)
        with self.lock:
            job = self.jobs[key] = self.jobs.get(key) or _Job.start(command)
        if job.wait(_ACTION_WAIT_S):
            self.jobs.pop(key, None)
            document = job.document()
            job.forget()
            return document
        return {"state": "running", "next": "call again with the same arguments", "output": job.output()}


def _answer(name: str, arguments: Mapping[str, Any]) -> Document:
    return _run_command(command_line(name, arguments))


def _plan(name: str, arguments: Mapping[str, Any]) -> Document:
    document = _answer(name, arguments)
    if "error" in document:
        return document
    budget, resources, estimate = document["budget"], document["resources"], document["estimate"]
    seconds = estimate["seconds"]
    gpus = resources["jobs"] * resources["gpus_per_trial"] * resources["nodes_per_trial"]
    return {
        "fingerprint": document["run_fingerprint"],
        "not_runnable": document["not_runnable"],
        "cost": {
            "trials": budget["trials"],
            "seconds": seconds,
            "basis": estimate["basis"],
            "gpus": gpus,
            "gpu_hours": None if seconds is None else round(seconds * gpus / 3600, 2),
        },
        **{key: document[key] for key in _PLANNED},
        "skill": {key: document["skill"][key] for key in ("name", "network_arch", "root", "command")},
        "launch": {key: document["launch"][key] for key in ("launcher", "reason", "image")},
        "searched": document["space"]["parameters"],
        "request": document["request_text"],
    }


def _logs(name: str, arguments: Mapping[str, Any]) -> Document:
    document = _answer(name, arguments)
    if "error" in document:
        return document
    lines = document["text"].splitlines()
    shown = lines[-arguments.get("lines", 100) :]
    return {"lines": shown, "earlier_lines": len(lines) - len(shown)}


def _run_command(command: list[str]) -> Document:
    try:
        done = subprocess.run(  # noqa: S603 - this program, with arguments that fit the tool's schema
            _argv(command), stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        error = f"automl {command[0]} took more than {_COMMAND_LIMIT_S:g} s and was ended"
        return {"error": error, "exit_status": 1, "problems": []}
    out, err = (text.decode("utf-8", "backslashreplace") for text in (done.stdout, done.stderr))
    return _document(done.returncode, out, err)


def _argv(command: list[str]) -> list[str]:
    return [sys.executable, "-m", "automl.cli.app", *command]


def _document(status: int, out: str, err: str) -> Document:
    """Return what a command printed: its document, its text, or its error."""
    try:
        document = json.loads(out)
    except ValueError:
        document = None
    if isinstance(document, dict):
        # An action that was not done has a result, with the reason.
        failed = {"error": document["reason"], "exit_status": status} if status and "reason" in document else {}
        return {**failed, **document}
    if status == 0:
        return {"text": out}
    headline, *blocks = (err or out).removeprefix("error: ").split("\n\n")
    problems = [found.groupdict() for block in blocks if (found := _PROBLEM.fullmatch(block.rstrip()))]
    shown = headline if problems else "\n".join((err or out).splitlines()[-_SHOWN_LINES:]).removeprefix("error: ")
    return {"error": shown, "exit_status": status, "problems": problems}


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="backslashreplace")


def build_server(desk: Desk) -> Server[Any]:
    """Return the server; the desk remembers what it has started."""

    async def list_tools(_: ServerRequestContext[Any], __: object) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=tool.name,
                    description=tool.description,
                    input_schema=tool.input_schema,
                    annotations=types.ToolAnnotations(read_only_hint=tool.is_read_only, destructive_hint=False),
                )
                for tool in tools()
            ]
        )

    async def call_tool(_: ServerRequestContext[Any], asked: types.CallToolRequestParams) -> types.CallToolResult:
        # In a thread: other calls are answered meanwhile.
        document = await run_sync(desk.call, asked.name, asked.arguments or {}, abandon_on_cancel=True)
        return types.CallToolResult(
            content=[types.TextContent(text=json.dumps(document, indent=1))],
            structured_content=document,
            is_error="error" in document,
        )

    version = importlib.metadata.version("automl-vision")
    return Server(
        "automl", version=version, instructions=_INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool
    )


def serve() -> None:
    """Serve on stdin and stdout until the client closes them."""
    desk = Desk()

    async def run() -> None:
        server = build_server(desk)
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())

    try:
        anyio.run(run)
    finally:
        for job in desk.jobs.values():
            job.forget()
