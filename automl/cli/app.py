"""Parse, call, and turn the outcome into an exit status: the only module that prints errors or ends the process.

Commands are loaded when they are called, so `automl --help` imports none of them.
"""

from __future__ import annotations

import atexit
import contextlib
import difflib
import errno
import gc
import importlib
import io
import itertools
import json
import os
import re
import select
import signal
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import click

from automl.cli.terminal import StreamName, VisibleStream
from automl.errors import AutomlError, ConfigurationError, InterruptedStudyError, Problem
from automl.machine import direct_loopback
from automl.regular_file import NotAFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMANDS = {
    "init": ("init", "Write a study file for a training script, or with --skill a small model skill to build on."),
    "run": ("request", "Search hyperparameters, or train once with --policy off."),
    "plan": ("request", "Show what `run` would do, down to the first trials, and run nothing."),
    "space": ("request", "Show which parameters are searched, which are not, and why."),
    "doctor": ("request", "Check machine, data and weights for a run: ok, warn or fail, with the fix."),
    "cluster": ("cluster", "Write, or submit, a job that runs a study on Slurm or Kubernetes."),
    "check": ("request", "List everything that is wrong with a study, a skill or a spec."),
    "schema": ("init", "Write the JSON Schema of study files to .automl/, for completion in an editor."),
    "list": ("results", "List the model skills of a folder: runnable, blocked, disabled; or, with --studies, studies."),
    "resume": ("study", "Continue an interrupted study."),
    "stop": ("study", "End a study, or one running trial of it."),
    "status": ("study", "Show the progress of a study; with --watch, live."),
    "logs": ("study", "Print the log of a trial; with -f as it grows."),
    "compare": ("study", "Rank the trials of one or several studies."),
    "evaluate": ("action", "Evaluate the best checkpoint of a study, or another one, with the skill's own action."),
    "infer": ("action", "Run a checkpoint of a study on images."),
    "export": ("action", "Export a checkpoint of a study, e.g. to ONNX."),
    "quantize": ("action", "Quantise a checkpoint of a study."),
    "report": ("study", "Write one HTML page about a study."),
    "export-history": ("history", "Write what studies measured, without their data, to a file that others learn from."),
    "sync": ("study", "Upload to MLflow what it does not have yet."),
    "promote": ("study", "Make the best checkpoint of a study the champion of its model."),
    "mcp": ("mcp", "Offer these commands as tools to an agent, over MCP on stdin and stdout."),
    "skill": ("results", "Print the SKILL.md by which a coding agent uses this tool."),
    "clean": ("results", "List what may be deleted from a results folder; with --yes move it to the trash."),
    "ui": ("results", "Open MLflow's comparison of a study on this machine."),
}
"""Command -> the module `<...>_commands` that has it, and its line in the help."""

_AT_ONCE = frozenset({"status", "compare", "list"})
"""Commands that read, print and end."""
_SHOWN_PATH = 120
_WITHOUT_TEXTS = (
    "Python runs with -OO or PYTHONOPTIMIZE=2, without the documentation strings that this command line and Ray need:"
    " use 1 instead, or set it in the command of the trainer alone"
)


class _LazyGroup(click.Group):
    """A group whose commands are imported when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        commands: click.Group = importlib.import_module(f"automl.cli.{module}_commands").commands
        return commands.get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and (close := difflib.get_close_matches(args[0], COMMANDS, n=1)):
            ctx.fail(f"No such command {args[0]!r}. Did you mean {close[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="automl-vision", prog_name="automl")
def cli() -> None:
    """Find hyperparameters of training scripts and of models described by model skills, and keep one clear record.

    `automl run toy/quick` is a first look, `automl init train.py` begins with a script of yours, and `automl run`
    searches a depth model on demo data (extra depth).

    STUDY is a study's folder, its name in the results folder, or the name of a skill, whose newest study it is. For
    `run`, `plan`, `space`, `doctor`, `check` and `cluster` it is a study file, the name of a ready study, or a skill.
    Tab completion: eval "$(_AUTOML_COMPLETE=bash_source automl)".
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit status."""
    if sys.platform != "linux":
        sys.exit(f"error: automl runs on Linux, this is {sys.platform}; use a container or a Linux machine")
    _open_closed_streams()
    sys.stdout, sys.stderr = _usable(sys.stdout), _usable(sys.stderr)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a batch system's Ctrl-C
    if sys.warnoptions:
        # What the user makes of warnings is for the trainer: one of a library of ours must not end a study.
        warnings.simplefilter("ignore")
    if {*sys.argv[1:2]} & _AT_ONCE and "--watch" not in sys.argv:
        # Of 10,000 trials a tenth of the time is spent in looking for cycles, the last time at the end.
        gc.disable()
        atexit.register(gc.freeze)
    os.environ.update(direct_loopback(os.environ))
    try:
        Path.home()
    except RuntimeError:  # no HOME, and a user that the machine does not know: Ray's import needs one
        os.environ["HOME"] = "/"  # as in containers
    sys.exit(run_command_line(sys.argv[1:] if arguments is None else arguments))


def _open_closed_streams() -> None:
    """Put the null device where the caller has closed a standard stream: the next file that is opened would be there.

    What a library prints would then be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003 # the lowest number that is free
    sys.stdin = sys.stdin or open(0, closefd=False, encoding="utf-8")  # noqa: SIM115 # by its number


def _usable(stream: TextIO | None) -> TextIO:
    """Return a stream that accepts every text.

    Control characters are escaped, and what its encoding lacks; where the stream is closed, all is discarded.
    """
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return cast("TextIO", VisibleStream(stream))


def run_command_line(arguments: list[str]) -> int:
    """Run one command and return its exit status.

    Errors are printed to stderr in the house's form; where ``--json`` asks for a document, they are it.
    """
    if sys.flags.optimize > 1:
        _print_error(_WITHOUT_TEXTS)
        return ConfigurationError.exit_status
    try:
        _require_texts(arguments)
        with _usable_paths():
            outcome = cli.main(args=arguments, prog_name="automl", standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _is_unread(sys.stdout):
            sys.stderr.close()  # Python would report that again at exit
            return 0
        # Not a defect of automl: a full disk behind stdout, a deleted working directory, a file of another user.
        _print_error(_cause(error))
        _drop_output()
        return AutomlError.exit_status
    except (AutomlError, click.ClickException, click.Abort, KeyboardInterrupt) as error:
        failure, hint = _failure(error)
        _print_error(f"{failure}{hint}")
        if "--json" in arguments and not failure.is_printed:
            click.echo(json.dumps(failure.document(), indent=2))
        return failure.exit_status


def _failure(error: BaseException) -> tuple[AutomlError, str]:
    """Return what a user reads of an error, and where to read on."""
    if isinstance(error, AutomlError):
        return error, ""
    if isinstance(error, click.ClickException):
        context = error.ctx if isinstance(error, click.UsageError) else None
        hint = f"\n\nSee '{context.command_path} --help'." if context else ""
        return ConfigurationError(f"{error.format_message()}{_as_argument(error)}"), hint
    return InterruptedStudyError(InterruptedStudyError.EARLY), ""


def _as_argument(error: click.ClickException) -> str:
    """Return what to write in place of ``--results`` where a command takes the folder as an argument."""
    if not (isinstance(error, click.NoSuchOption) and error.option_name == "--results" and error.ctx):
        return ""
    command, path = error.ctx.command, error.ctx.command_path
    names = [one.make_metavar(error.ctx) for one in command.params if isinstance(one, click.Argument)]
    if not names:
        return ""
    of_name = "; AUTOML_RESULTS is the folder in which a name is looked up" if "STUDY" in names[0] else ""
    flag = " --studies" if any(one.name == "studies" for one in command.params) else ""
    return f" The folder is the argument: {path}{flag} {' '.join(names)}{of_name}."


@contextlib.contextmanager
def _usable_paths() -> Iterator[None]:
    """Turn what a file system says of a path that can be no file into an error about that path."""
    try:
        yield
    except (NotAFileError, NotADirectoryError) as error:
        is_above = isinstance(error, NotADirectoryError)
        where, found = str(error.filename), "it lies below what is no folder" if is_above else str(error.strerror)
        expected = "folders above it" if is_above else "a regular file, or nothing"
        fix = "move away what is there, or name another place"
        problem = Problem(where=where, found=found, expected=expected, fix=fix)
        raise ConfigurationError.from_problems([problem], subject="a path") from error
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        path = str(error.filename or "a path")
        where = path if len(path) <= _SHOWN_PATH else f"{path[:_SHOWN_PATH]}... ({len(path)} characters)"
        expected = "at most 255 bytes between two slashes, and 4095 in all"
        problem = Problem(where=where, found=str(error.strerror), expected=expected, fix="shorten it where it is named")
        raise ConfigurationError.from_problems([problem], subject="a path") from error


def _require_texts(arguments: list[str]) -> None:
    """Refuse empty texts, most of them variables that are not set: as a path they would be the working directory.

    Those behind ``--`` are of another program.
    """
    ours = list(itertools.takewhile(lambda argument: argument != "--", arguments))
    problems = [
        Problem(
            where=_place_of(before, argument, number),
            found="an empty text",
            expected="a value",
            fix="leave it out, or set the variable that it stands for",
        )
        for number, (before, argument) in enumerate(itertools.pairwise(["automl", *ours]), start=1)
        if not argument.strip() or re.fullmatch(r"--[\w-]+=\s*", argument)
    ]
    if problems:
        raise ConfigurationError.from_problems(problems, subject="the command line")


def _place_of(before: str, argument: str, number: int) -> str:
    name, equals, _ = argument.partition("=")
    if equals:
        return name
    return before if before.startswith("-") else f"argument {number}"


def _cause(error: OSError) -> str:
    if isinstance(error.filename, StreamName):
        return f"what is printed cannot be written to {error.filename}: {error.strerror}"
    if (named := error.filename2 or error.filename) is not None:
        hint = "; make room there, and run the command again" if error.errno in {errno.ENOSPC, errno.EDQUOT} else ""
        return f"{error.strerror}: {named}{hint}"
    is_here_gone = isinstance(error, FileNotFoundError)
    return "the working directory is gone" if is_here_gone else error.strerror or str(error)


def _is_unread(stream: TextIO) -> bool:
    """Tell whether the reader of a pipe (`| head`) has closed it; other pipes may be broken too."""
    poll = select.poll()
    poll.register(stream, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _drop_output() -> None:
    """Keep Python from writing at exit what could not be written."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError):
            sys.stdout.close()


def _print_error(text: str) -> None:
    """Print an error; where stderr cannot be written, the exit status alone says it."""
    first, *rest = text.splitlines() or [""]
    with contextlib.suppress(OSError):
        click.echo("\n".join([f"error: {first}", *(f"  {line}" if line else "" for line in rest)]), err=True)


if __name__ == "__main__":
    main()
