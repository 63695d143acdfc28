"""What identifies the content of files, and the code that reads them, for what is kept of both between runs."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2

if TYPE_CHECKING:
    from collections.abc import Iterable

_KEY: Final = re.compile("[0-9a-f]{32}")
_SETTLED_S: Final = 2.0
"""A file that changed so recently may change again under the same time, which file systems round."""


def stamp_of(files: Iterable[Path]) -> bytes | None:
    """Return what identifies the content of files without reading them; None if one is missing."""
    digest = hashlib.sha256()
    try:
        for path in files:
            state = path.stat()
            times = (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
            digest.update(os.fsencode(path.absolute()) + repr(times).encode("ascii"))
    except OSError:
        return None
    return digest.digest()


def are_settled(files: Iterable[Path]) -> bool:
    """Tell whether files have last changed so long ago that a further change will show in their times."""
    now = time.time()
    return all(now - max(state.st_mtime, state.st_ctime) > _SETTLED_S for state in map(Path.stat, files))


def key_of(parts: Iterable[str]) -> str:
    """Return a file name for what the readers of this package, as they were imported, make in a way that texts name."""
    text = "\0".join((_CODE, cv2.__version__, platform.machine(), *parts))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def is_key(name: str) -> bool:
    """Tell whether a file may be one that `key_of` has named."""
    return _KEY.fullmatch(name) is not None


def _digest_of_code() -> str:
    digest = hashlib.blake2b(digest_size=16)
    for module in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(module.read_bytes())
    return digest.hexdigest()


_CODE: Final = _digest_of_code()
