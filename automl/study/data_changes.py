"""Whether the data of a study have changed between two of its runs, by the digests that each run records."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from automl.errors import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIGEST = re.compile(r"(?P<kind>\w+):(?P<digest>[0-9a-f]{16,}) (?P<path>.+)", re.DOTALL)


def changes_of_data(before: Mapping[str, str], now: Mapping[str, str], trials: int) -> dict[str, str]:
    """Return input (``data.val``) -> a sentence, where its digest has changed; other kinds of digests do not compare.

    Args:
        before: `StudyStarted.environment` of the run before.
        now: That of this run.
        trials: How many trials there were before it.
    """
    found = {}
    for name in sorted(before.keys() & now.keys()):
        was, is_now = (_DIGEST.fullmatch(texts[name]) for texts in (before, now))
        if not name.startswith("data.") or was is None or is_now is None or was["kind"] != is_now["kind"]:
            continue
        if was["digest"] != is_now["digest"]:
            began = f"{counted(trials, 'trial')} began before: compare their values with care"
            found[name] = f"{name.removeprefix('data.')} has changed: {is_now['path']}; {began}"
    return found
