"""What a trial's program is started with: its argument list and its environment.

A plain command becomes an argument list without a shell. A template with shell syntax runs as a `bash -c` script in
which the path of the spec is quoted for the place where its token stands.

A trainer that sees a stale `WORLD_SIZE` or `RANK` waits for ranks that never come; Ray's own variables would make a
trainer that uses Ray join our cluster. So these are not inherited.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import LaunchError, LaunchFailure
from automl.launch.processes import TAG_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONFIG_TOKEN = "{config_path}"  # noqa: S105 # a placeholder, no secret
_ACTIVE = ("VIRTUAL_ENV", "CONDA_PREFIX")
TRIAL_DIR_VARIABLE = "AUTOML_TRIAL_DIR"
"""Environment variable of every trial: its folder, where `automl.report` writes."""
_PLACE = re.compile(r"[-+]*\{[A-Za-z_][\w.-]*(?:\[\d+\])*\}")
_SHELL_SYNTAX = re.compile(r"[|&;<>()$`\n*?\[\]~!{}#\\]|^\s*\w+=|^\s*(?:cd|source|export|set|if|for|while|exec)\s")
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_STALE = re.compile(
    r"WORLD_SIZE|(LOCAL_|GROUP_|ROLE_|NODE_)?RANK|LOCAL_WORLD_SIZE|MASTER_(ADDR|PORT)|NUM_GPU_PER_NODE|NODE_RANK"
    r"|TORCHELASTIC_.*|PET_.*|RAY_.*|TUNE_.*|SLURM_(PROCID|LOCALID|NTASKS|JOB_NAME)|PMI_.*|OMPI_.*|AUTOML_.*"
    # What Ray puts into its workers.
    r"|PL_DISABLE_FORK|SPT_NOENV|PYTHONBREAKPOINT"
    r"|CUDA_VISIBLE_DEVICES|NVIDIA_VISIBLE_DEVICES|OMP_.*|MKL_.*|OPENBLAS_.*|PYTHONUNBUFFERED|PYTHONHASHSEED"
)
# Of the caller's machine: a container has its own devices.
_NOT_PASSED_ON = re.compile(r"CUDA_VISIBLE_DEVICES|NVIDIA_VISIBLE_DEVICES")
_PASSED_ON = re.compile(
    r"TOKENIZERS_PARALLELISM|CUDA_DEVICE_ORDER|NCCL_.*|EVALUATE_.*|HF_HUB_OFFLINE|TRANSFORMERS_OFFLINE"
)


def build_command(template: str, config_path: Path) -> tuple[str, ...]:
    """Return the argument list that runs a template on a spec file.

    Raises:
        LaunchError: the token is missing or occurs more than once, or a quotation is not closed.
    """
    if template.count(CONFIG_TOKEN) != 1:
        raise LaunchError(
            f"the command {template!r} must contain {CONFIG_TOKEN} exactly once", failure=LaunchFailure.COMMAND
        )
    return fill_command(template, {CONFIG_TOKEN: str(config_path)})


def example_command(template: str) -> tuple[str, ...]:
    """Return the argument list of a template with something in each of its places: to see which program it starts.

    Raises:
        LaunchError: a quotation is not closed.
    """
    return fill_command(template, dict.fromkeys([CONFIG_TOKEN, *_PLACE.findall(template)], "spec"))


def fill_command(template: str, places: Mapping[str, str | tuple[str, ...]]) -> tuple[str, ...]:
    """Return the argument list of a template with any of several tokens in any number.

    Args:
        template: The command.
        places: Token -> what stands there, several words only where the token is a word of its own; at least one token.

    Raises:
        LaunchError: a quotation is not closed, or a word holds a zero byte, which no program can be given.
    """
    words = _words(template, places)
    if (broken := next((word for word in words if "\0" in word), None)) is not None:
        raise LaunchError(
            f"no program can be given {broken[:80]!r}: it holds a zero byte", failure=LaunchFailure.COMMAND
        )
    return words


def _words(template: str, places: Mapping[str, str | tuple[str, ...]]) -> tuple[str, ...]:
    pieces = re.split(f"({'|'.join(map(re.escape, places))})", template)
    if any(_SHELL_SYNTAX.search(literal) for literal in pieces[::2]):
        script = ""
        for piece in pieces:
            script += _in_shell(places[piece], _open_quote(script)) if piece in places else piece
        return ("bash", "-c", script)
    try:
        arguments = shlex.split(template)
    except ValueError as error:
        raise LaunchError(
            f"the command {template!r} cannot be split into arguments: {error}", failure=LaunchFailure.COMMAND
        ) from error
    return tuple(word for argument in arguments for word in _filled(argument, places))


def _filled(argument: str, places: Mapping[str, str | tuple[str, ...]]) -> Sequence[str]:
    """Return the words in place of one: a value is never looked through for further tokens."""
    whole = places.get(argument)
    if isinstance(whole, tuple):
        return whole
    pieces = re.split(f"({'|'.join(map(re.escape, places))})", argument)
    return ["".join(str(places.get(piece, piece)) for piece in pieces)]


def _in_shell(place: str | tuple[str, ...], quote: str) -> str:
    return _quoted(place, quote) if isinstance(place, str) else " ".join(_quoted(word, quote) for word in place)


def bin_directory() -> Path:
    """Return the folder of this environment's console scripts."""
    return Path(sys.executable).parent


def search_path(environment: Mapping[str, str], *, is_own: bool = True) -> str:
    """Return PATH with this environment's console scripts first.

    For a program of the user's own, whose environment may be another one, an active environment stays first.
    """
    entries = environment.get("PATH", os.defpath).split(os.pathsep)
    own = str(bin_directory())
    if not is_own and any(environment.get(name) for name in _ACTIVE):
        return os.pathsep.join([*entries, own])
    return os.pathsep.join([own, *(entry for entry in entries if entry != own)])


def locate_program(name: str) -> Path | None:
    """Return the file of the program that a command names first, in this environment or on PATH."""
    found = shutil.which(name, path=search_path(os.environ))
    return None if found is None else Path(found)


def find_program(name: str) -> Path:
    """Return the file of the program that a command names first.

    Raises:
        LaunchError: there is no such program in this environment or on PATH.
    """
    found = locate_program(name)
    if found is None:
        raise LaunchError(
            f"the program {name!r} was found neither in {bin_directory()} nor on PATH", failure=LaunchFailure.PROGRAM
        )
    return found


def trial_environment(
    inherited: Mapping[str, str],
    *,
    tag: str,
    gpus: Sequence[str] = (),
    threads: int = 1,
    extra: Mapping[str, str] | None = None,
    is_own: bool = True,
) -> dict[str, str]:
    """Return the whole environment of a trial.

    Args:
        inherited: Usually ``os.environ``.
        tag: See `LaunchRequest`.
        gpus: The trial's devices; empty hides every GPU.
        threads: CPU threads of the trainer, at least 1.
        extra: Laid over everything else, e.g. the rendezvous of a trial over several nodes.
        is_own: The command is of a trainer of this environment; see `search_path`.
    """
    environment = {name: value for name, value in inherited.items() if not _STALE.fullmatch(name)}
    environment |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    environment |= {
        "PATH": search_path(environment, is_own=is_own),
        "CUDA_VISIBLE_DEVICES": ",".join(gpus),
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "PYTHONUNBUFFERED": "1",
        # A cold trial and one forked from the warm server iterate over sets of strings in the same order.
        "PYTHONHASHSEED": "0",
        "TOKENIZERS_PARALLELISM": "false",
        TAG_VARIABLE: tag,
    }
    return environment | dict(extra or {})


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of a trial's environment that a container gets by value: what was set for the trial.

    A variable that `trial_environment` removes from the inherited environment and that is present all the same was set
    for the trial. Search paths and everything else that describes the caller's machine are left out.
    """
    return {
        name: value
        for name, value in environment.items()
        if (name in THREAD_VARIABLES or _STALE.fullmatch(name) or _PASSED_ON.fullmatch(name))
        and not _NOT_PASSED_ON.fullmatch(name)
    }


def _open_quote(text: str) -> str:
    """Return the quotation mark that is open at the end of a shell text, or an empty string."""
    quote = ""
    is_escaped = False
    for character in text:
        if is_escaped:
            is_escaped = False
        elif character == "\\" and quote != "'":
            is_escaped = True
        elif character == quote:
            quote = ""
        elif character in "'\"" and not quote:
            quote = character
    return quote


def _quoted(path: str, quote: str) -> str:
    """Quote a path for a place outside quotations, in double or in single quotation marks."""
    match quote:
        case '"':
            return re.sub(r'([\\"$`])', r"\\\1", path)
        case "'":
            return path.replace("'", "'\"'\"'")
        case _:
            return shlex.quote(path)
