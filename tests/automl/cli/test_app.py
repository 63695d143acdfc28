"""The command line as a whole: exit statuses, help, and errors in the house's form."""

from __future__ import annotations

import errno
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from automl.cli.app import COMMANDS, cli, run_command_line
from tests.automl.cli.study_folder import write_study


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    status = run_command_line(["--help"])

    assert status == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)


def test_without_arguments_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line([]) == 0
    assert "run" in capsys.readouterr().out


def test_an_interpreter_without_documentation_strings_is_refused_with_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "automl.cli.app", "plan", "toy"],
        env={**os.environ, "PYTHONOPTIMIZE": "2", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: Python runs with -OO or PYTHONOPTIMIZE=2")
    assert done.stderr.count("\n") == 1


def test_warnings_that_the_user_makes_errors_end_no_command() -> None:
    program = (
        "import warnings; from automl.cli import app;"
        "app.run_command_line = lambda _: warnings.warn('of a library') or 7; app.main([])"
    )

    done = subprocess.run([sys.executable, "-P", "-W", "error", "-c", program], capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (7, b"")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_page(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line([name, "--help"]) == 0
    assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["tune"], "tune"),
        (["rum"], "Did you mean 'run'?"),
        (["plan", "--skill", "toyy"], "did you mean toy?"),
        (["plan", "toy/quick", "--sampler", "tp"], "--sampler"),
        (["run", "--sampeler", "tpe"], "--sampeler"),
        (["run", "--trials", "0"], "--trials"),
        (["run", "--time", "soon"], "soon"),
        (["status"], "STUDY"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_names_the_place(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run_command_line(arguments)

    assert status == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert named in error


def test_help_answers_in_well_under_a_second() -> None:
    command = [sys.executable, "-m", "automl.cli.app", "--help"]
    times_s = []
    for _ in range(5):
        before = os.times()
        subprocess.run(command, capture_output=True, check=True)
        after = os.times()
        times_s.append(after.children_user + after.children_system - before.children_user - before.children_system)

    # Of processor time, which a busy machine stretches less: 0.25 s on an idle core.
    assert min(times_s) < 1.0


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["status", "nowhere", "--json"], 2),
        (["space", "--skill", "nowhere", "--json"], 2),
        (["run", "--skill", "toy", "--policy", "sometimes", "--json"], 2),
        (["evaluate", "nowhere", "--json"], 2),
        (["list", "nowhere", "--json"], 2),
        (["plan", "--skill", "toy", "--set", "train.optim.lr=fast", "--set", "nonsense", "--json"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_where_a_document_is_asked_for_an_error_is_one(
    arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(arguments) == status

    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert document["exit_status"] == status
    assert f"error: {document['error']}" in shown.err
    assert all(problem.keys() == {"where", "found", "expected", "fix"} for problem in document["problems"])


def test_an_interrupt_ends_with_130_and_a_document_where_one_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupt)

    assert run_command_line(["run", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["exit_status"] == 130
    assert run_command_line(["run"]) == 130
    assert capsys.readouterr().out == ""


def test_text_that_a_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    study = write_study(tmp_path / "größe")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}

    command = [sys.executable, "-m", "automl.cli.app", "status", str(study)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "gr\\xf6\\xdfe" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (["plan", "toy/quick", "--studies", ""], "--studies"),
        (["plan", "toy/quick", "--spec=", "--json"], "--spec"),
        (["run", "--results", " ", "toy/quick"], "--results"),
        (["status", ""], "argument 2"),
    ],
)
def test_an_empty_text_is_refused_and_never_the_working_directory(
    arguments: list[str], where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(arguments) == 2

    assert f"  {where}\n    found     an empty text\n" in capsys.readouterr().err


def test_a_file_that_a_full_disk_does_not_take_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_study(tmp_path / "example")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)

    assert run_command_line(["report", str(root)]) == 1
    shown = capsys.readouterr().err
    assert shown == f"error: No space left on device: {root}/report.html; make room there, and run the command again\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_behind_stdout_is_one_line() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        command = [sys.executable, "-m", "automl.cli.app", "space", "--skill", "toy"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    said = "error: what is printed cannot be written to stdout: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_an_error_that_cannot_be_printed_keeps_its_status() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        command = [sys.executable, "-m", "automl.cli.app", "space", "--skill", "of-nobody"]
        done = subprocess.run(command, stderr=full, stdout=subprocess.PIPE, check=False)

    assert done.returncode == 2


def test_no_file_takes_the_place_of_a_standard_stream_that_is_closed(tmp_path: Path) -> None:
    script = "import os, sys; from automl.cli.app import _open_closed_streams as opened; opened(); "
    script += "names = [os.readlink(f'/proc/self/fd/{n}') for n in range(3)]; "
    script += "open(sys.argv[1], 'w').write(repr((names, sys.stdin.isatty(), os.get_inheritable(0))))"
    file = tmp_path / "found"
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", script, str(file)]

    assert subprocess.run(command, check=False).returncode == 0
    assert file.read_text(encoding="utf-8") == repr((["/dev/null"] * 3, False, True))


def test_a_working_directory_that_is_gone_is_one_line(tmp_path: Path) -> None:
    script = f'cd {shlex.quote(str(tmp_path))} && rmdir {shlex.quote(str(tmp_path))} && exec "$@"'
    command = ["sh", "-c", script, "sh", sys.executable, "-P", "-m", "automl.cli.app", "list", "--studies"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (1, "error: the working directory is gone\n")


@pytest.mark.parametrize(("reader", "status"), [("true", 0), ("cat", 1)])
def test_a_pipe_that_broke_is_silent_only_where_it_is_the_reader_of_this_output(reader: str, status: int) -> None:
    code = (
        "import sys\nfrom automl.cli import app\napp.cli.main = lambda **_: "
        + ("[print('x' * 99999) or sys.stdout.flush() for _ in range(99)]" if reader == "true" else "_break()")
        + "\ndef _break(): raise BrokenPipeError(32, 'Broken pipe')\nsys.exit(app.run_command_line([]))"
    )
    script = f'"$1" -c "$2" | {reader}; exit "${{PIPESTATUS[0]}}"'

    done = subprocess.run(
        ["/bin/bash", "-c", script, "bash", sys.executable, code], stderr=subprocess.PIPE, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (status, "error: Broken pipe\n" if status else "")


def test_a_closed_stdout_is_no_error() -> None:
    command = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "automl.cli.app", "space", "--skill", "toy"]

    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        ("status", "status STUDY;"),
        ("compare", "compare STUDY...;"),
        ("report", "report STUDY;"),
        ("clean", "clean [RESULTS]."),
        ("list", "list --studies [FOLDER]."),
    ],
)
def test_a_command_that_takes_the_folder_as_an_argument_says_so(
    command: str, usage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line([command, "--results", "x"]) == 2

    assert f"The folder is the argument: automl {usage}" in capsys.readouterr().err
