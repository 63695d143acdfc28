"""Every deliberate error of `automl`, its exit status, and how a problem is described.

An error that a user can fix has `Problem`s: all of them at once. Only `automl.cli.app` prints an error or ends the
process.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, as the person who fixes it sees it.

    Attributes:
        where: File and dotted path, e.g. ``studies/demo.yaml: space.train.optim.lr``, or the option's name.
        found: What is there.
        expected: What would be accepted.
        fix: The one thing to do.
    """

    where: str
    found: str
    expected: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where}\n  found     {self.found}\n  expected  {self.expected}\n  fix       {self.fix}"


class AutomlError(Exception):
    """Base of every error that `automl` raises on purpose.

    Attributes:
        headline: One sentence, without a final full stop.
        problems: What is wrong, all of it.
        is_printed: With ``--json``: a document that reports the error is on stdout already.
    """

    exit_status: ClassVar[int] = 1

    def __init__(self, headline: str, problems: Iterable[Problem] = ()) -> None:
        super().__init__(headline)
        self.headline = headline
        self.problems = tuple(problems)
        self.is_printed = False

    def document(self) -> dict[str, object]:
        """Return the JSON form: what ``--json`` prints in place of a result."""
        problems = [dataclasses.asdict(problem) for problem in self.problems]
        return {"error": self.headline, "exit_status": self.exit_status, "problems": problems}

    def __str__(self) -> str:
        return "\n\n".join([self.headline, *map(str, self.problems)])

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of a traceback: what the command line prints."""
        return [f"error: {self}"]


class ConfigurationError(AutomlError):
    """The request, a skill, a study file, a spec or the data cannot be used as they are."""

    exit_status = 2

    @classmethod
    def from_problems(cls, problems: Iterable[Problem], *, subject: str) -> ConfigurationError:
        """Build the error for problems of a subject, named with its article: ``2 problems in the study``."""
        listed = tuple(problems)
        return cls(f"{counted(len(listed), 'problem')} in {subject}", listed)

    @classmethod
    def single(cls, subject: str, *, where: str, found: str, expected: str, fix: str) -> ConfigurationError:
        """Build the error for one problem of a subject."""
        return cls.from_problems([Problem(where=where, found=found, expected=expected, fix=fix)], subject=subject)


class NothingToRunError(AutomlError):
    """Everything is valid, and there is nothing to do."""

    exit_status = 3


class LaunchFailure(StrEnum):
    """What kept a process from being started; decides what becomes of a trial (see `automl.trial.failures`)."""

    COMMAND = "command"
    """The skill's command template cannot be turned into an argument list."""
    PROGRAM = "program"
    """The program does not exist or cannot be executed."""
    IMAGE = "image"
    """The container image does not exist or cannot run on this machine."""
    CREDENTIAL = "credential"
    """A registry wants credentials that are not there."""
    ENGINE = "engine"
    """The container engine refused; the error's `output` is what it printed."""
    INFRASTRUCTURE = "infrastructure"
    """A folder, a supervisor, a node or the network."""


class LaunchError(AutomlError):
    """A process that the study needs could not be started, or a server that it needs not be reached.

    Attributes:
        failure: What kept it from being started.
        output: What another program, e.g. a container engine, printed about it.
    """

    exit_status = 4

    def __init__(
        self,
        headline: str,
        problems: Iterable[Problem] = (),
        *,
        failure: LaunchFailure = LaunchFailure.INFRASTRUCTURE,
        output: str = "",
    ) -> None:
        super().__init__(headline, problems)
        self.failure = failure
        self.output = output


class StudyFailedError(AutomlError):
    """The study ran to its end, and no trial has a usable value or the best checkpoint cannot be handed over."""

    exit_status = 5


class ResumeMismatchError(AutomlError):
    """The study directory was made by another plan than the one asked for."""

    exit_status = 6


class InterruptedStudyError(AutomlError):
    """A signal ended the study; the directory can be resumed."""

    exit_status = 130
    EARLY: ClassVar[str] = "interrupted; nothing is lost that was written"
    """What is said where no study is known yet."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 problem``, ``3 problems``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def options_text(options: Iterable[object], *, width: int = 200, noun: str = "option") -> str:
    """Return options as a list; of a long one the first and how many there are: ``a, b, ... 1,500 options``.

    Args:
        options: What can be chosen.
        width: Characters that the list may have, without the count; each option has at most a third of them.
        noun: What they are.
    """
    texts = [str(option) for option in options]
    if sum(map(len, texts)) + 2 * len(texts) - 2 <= width:
        return ", ".join(texts)
    shown = [cut(text, width // 3) for text in texts]
    ends = [*accumulate(len(text) + 2 for text in shown)]
    fitting = shown[: max(1, bisect_right(ends, width))]
    return ", ".join(fitting) + f", ... {len(texts):,} {noun}{'s' if len(texts) > 1 else ''}" * (len(texts) > 1)


def cut(text: str, width: int = 60) -> str:
    """Return a text, or the name in a table, of at most so many characters, with an ellipsis where it was longer."""
    return text if len(text) <= width else f"{text[: width - 3]}..."
