"""Find and remove containers of earlier studies, trials and attempts by their labels."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from automl.launch.engine import STUDY_LABEL, call_client, find_engine, removal

if TYPE_CHECKING:
    from automl.launch.engine import Engine
    from automl.study.launch_plan import LauncherKind

logger = logging.getLogger(__name__)

_LIMIT_S = 60.0


def find_containers(engine: Engine, study: str) -> tuple[str, ...]:
    """Return the ids of a study's containers, running or not.

    Args:
        engine: Where to look.
        study: The study's tag, the first part of its trials' tags.
    """
    answer = _ask(engine, "ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={STUDY_LABEL}={study}")
    return tuple(answer.split())


def end_containers(kind: LauncherKind, study: str) -> int:
    """Kill and remove every container of a study; return how many there were.

    Raises:
        LaunchError: the engine does not answer.
    """
    engine = find_engine(kind)
    found = find_containers(engine, study)
    for container in found:
        remove_container(engine, container)
    return len(found)


def remove_container(engine: Engine, container: str) -> None:
    """Kill and remove one container, by name or id; one that is gone is no error."""
    _ask(engine, *removal(engine.kind, container))


def _ask(engine: Engine, *arguments: str) -> str:
    done = call_client(engine.program, *arguments, limit_s=_LIMIT_S)
    if done.returncode != 0 and "no such container" not in done.stderr.lower():
        logger.warning("%s %s: %s", engine.kind, arguments[0], done.stderr.strip())
    return done.stdout
