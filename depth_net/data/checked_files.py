"""What was measured of the files of a data source, remembered as long as none of them changes.

The trials of a study check the same files before each training: 0.38 CPU-s for 4,096 photographs, 0.03 from here.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from depth_net.data.file_stamps import are_settled, is_key, key_of, stamp_of
from depth_net.data.inspection import SampleFacts
from depth_net.regular_file import open_regular
from depth_net.user_cache import cache_folder
from depth_net.whole_file import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_UNUSED_S: Final = 14 * 86400.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What the files of one source are."""

    facts: SampleFacts
    mismatches: tuple[str, ...]
    """One sentence per row whose image and ground truth differ in size."""


def remembered(rules: str, files: Sequence[Path], measure: Callable[[], Measured]) -> Measured:
    """Return what was measured of files before, or measure them now.

    Args:
        rules: All that decides what is measured, besides the files.
        files: All that are read.
        measure: Measures them.
    """
    folder, stamp = cache_folder("checked"), stamp_of(files)
    if folder is None or stamp is None:
        return measure()
    place = folder / f"{key_of((rules, stamp.hex()))}.json"
    try:
        with open_regular(place) as stream:
            content = json.loads(stream.read())
        return Measured(SampleFacts(**_in_tuples(content["facts"])), _in_tuples(content["mismatches"]))
    except (OSError, ValueError, TypeError, KeyError):
        measured = measure()
    if are_settled(files) and stamp_of(files) == stamp:
        _write(place, measured)
    return measured


def _write(place: Path, measured: Measured) -> None:
    try:
        for other in place.parent.iterdir():
            if is_key(other.stem) and time.time() - other.stat().st_mtime > _UNUSED_S:
                other.unlink(missing_ok=True)  # its own
        with whole(place) as unfinished:
            unfinished.write_text(json.dumps(asdict(measured)), encoding="utf-8")
    except OSError:
        return  # it is measured again next time


def _in_tuples(value: Any) -> Any:  # noqa: ANN401 - what JSON has
    if isinstance(value, dict):
        return {name: _in_tuples(each) for name, each in value.items()}
    return tuple(map(_in_tuples, value)) if isinstance(value, list) else value
