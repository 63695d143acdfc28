"""Read and write documents of a study directory: one way for all of them, and never half a file.

A document is a frozen dataclass, or a mapping of them; its JSON form has the names of its fields. Unknown keys are
ignored and missing ones get their defaults, so files of other versions can be read. The last key of every document that
is written is ``check``, a CRC-32 of the rest, and the first says that there is one: a changed document is refused, also
where the change took the check away. Documents of earlier versions may have neither. ``of_study`` is the token of the
study that a document belongs to, see `automl.storage.own_documents`.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from automl.errors import ConfigurationError, Problem
from automl.regular_file import followed, open_regular
from automl.spec.write import replace_file
from automl.storage.held_study import require_held
from automl.storage.portable import located
from automl.storage.trainer_files import read_made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pydantic import TypeAdapter

T = TypeVar("T")

CHECK = "check"
"""The key of the check."""

_HAS_CHECK = "has_check"
"""The first key of a document with a check; the lines of a log have none, see `read_lines`."""

_OF_STUDY = "of_study"
_SHOWN_PROBLEMS = 3
_MOST_BYTES = 256 * 1024 * 1024
COMPUTED = "restore it from a copy; or delete it, and a resume computes its content again"


def to_json(value: object, kind: Any = None) -> Any:  # noqa: ANN401 # a type expression, and JSON
    """Return the JSON form of a document.

    Args:
        value: A dataclass, or a mapping of dataclasses.
        kind: Its type, where ``type(value)`` does not say it all: ``dict[str, Evaluation]``.
    """
    writer = _adapter(kind or type(value), is_writer=True)
    (document,) = writer.dump_python((value,), mode="json", fallback=dict, warnings=False)
    return document


def from_json(document: object, kind: type[T]) -> T:
    """Return the document that has a JSON form.

    Raises:
        ValueError: the JSON does not fit; with every problem.
    """
    value: T = _adapter(kind).validate_python(document)
    return value


def from_json_text(text: bytes, kind: type[T]) -> T:
    """Return the document that is written as JSON; raises as `from_json`."""
    value: T = _adapter(kind).validate_json(text)
    return value


def write_document(file: Path, value: object, kind: Any = None, *, token: str = "") -> None:  # noqa: ANN401 # a type expression
    """Write a document as strict JSON, at once or not at all.

    Args:
        file: Where.
        value: As for `to_json`.
        kind: As for `to_json`.
        token: Of the study that it belongs to; empty for none.

    Raises:
        OSError: the folder cannot be made or written.
        ValueError: the document holds a number that is not finite.
    """
    document = to_json(value, kind)
    document.pop(CHECK, None)
    document = {_HAS_CHECK: True, **({_OF_STUDY: token} if token else {}), **document}
    checked = {**document, CHECK: checksum(json.dumps(document, allow_nan=False))}
    write_text(file, json.dumps(checked, indent=1) + "\n")


def write_text(file: Path, text: str) -> None:
    """Write a text file that its user alone may read, at once or not at all.

    Raises:
        OSError: it cannot be written, or its folder is no longer that of the study which this process holds.
    """
    require_held(file.parent)
    replace_file(file, text.encode("utf-8"))


def read_document(file: Path, kind: type[T], *, study: Path | None = None) -> T:
    """Read a document; a portable one of a study directory (see `automl.storage.portable`) where that lies now.

    Raises:
        FileNotFoundError: there is none.
        ConfigurationError: the file cannot be read, was changed, or does not fit: a torn file is never passed over.
    """
    return read_with_token(file, kind, study=study)[0]


def read_with_token(file: Path, kind: type[T], *, study: Path | None = None) -> tuple[T, str]:
    """Read a document, and the token of the study that it belongs to, empty for none; raises as `read_document`."""
    try:
        document, is_checked, token = _opened(json.loads(_content(file)))
        if not document and not is_checked:
            raise ValueError("it holds {}, which says nothing")  # noqa: TRY301 - one error for all that can be wrong
        return from_json(document if study is None else located(document, study), kind), token
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise torn_file(file, first_line(error), "a document") from error


def _content(file: Path) -> bytes:
    """Return the content of a document; in the folder of a trial or an action anything may have taken its place."""
    is_beside_a_trainer = file.parent.parent.name in {"trials", "actions"}
    return read_made(file.parent if is_beside_a_trainer else followed(file).parent, file, most_bytes=_MOST_BYTES)


def token_in(file: Path) -> str:
    """Return the token of the study that a document which can be read belongs to; empty for none."""
    return _opened(json.loads(_content(file)))[2]


def has_check(file: Path) -> bool:
    """Tell whether a document that can be read has a check; those of earlier versions have none."""
    return without_check(json.loads(_content(file)))[1]


def checksum(text: str) -> str:
    """Return the check of a text: its CRC-32, as 8 hexadecimal digits."""
    return f"{zlib.crc32(text.encode()):08x}"


def to_line(document: dict[str, Any], *, token: str = "") -> str:
    """Return a JSON object with its check, and with the token of its study where it has one, as one line.

    Raises:
        ValueError: it holds a number that is not finite.
    """
    text = json.dumps({**document, **({_OF_STUDY: token} if token else {})}, allow_nan=False)
    return f'{text[:-1]}, "{CHECK}": "{checksum(text)}"}}\n'


def read_lines(file: Path, position: int = 0, *, token: str = "") -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the JSON object of each whole line from an offset on, with the offset behind it; none without the file.

    Lines of earlier versions have no check; behind one that has it each must.

    Raises:
        ConfigurationError: a line cannot be read, was changed, or is not of the study with the token.
    """
    with contextlib.suppress(FileNotFoundError), open_regular(file) as stream:
        stream.seek(position)
        must_have_check = False
        for line in stream:
            if not line.endswith(b"\n"):
                return
            try:
                document, is_checked, found = _opened(json.loads(line))
                if found != token:
                    raise ValueError("it is of another study")  # noqa: TRY301 - one error for all that can be wrong
                if must_have_check and not is_checked:
                    raise ValueError("its check is gone")  # noqa: TRY301 - one error for all that can be wrong
            except (ValueError, RecursionError) as error:
                fix = "restore it from a copy, or delete the line"
                raise torn_file(file, f"at byte {position}: {error}", "one JSON object per line", fix) from error
            position += len(line)
            must_have_check |= is_checked
            yield document, position


def without_check(document: Any) -> tuple[dict[str, Any], bool]:  # noqa: ANN401 # JSON
    """Return a JSON object without its check and token, and whether it had a check.

    Raises:
        ValueError: it is no object, or was changed after it was written.
    """
    return _opened(document)[:2]


def _opened(document: Any) -> tuple[dict[str, Any], bool, str]:  # noqa: ANN401 # JSON
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 # content of a file
    check = document.pop(CHECK, None)
    if check is not None and check != checksum(json.dumps(document)):
        raise ValueError("it is not what was written")
    has_token, token = _OF_STUDY in document, document.pop(_OF_STUDY, "")
    if (document.pop(_HAS_CHECK, None) is not None or has_token) and check is None:
        raise ValueError("its check is gone")
    return document, check is not None, str(token)


def first_line(error: Exception) -> str:
    """Return what is wrong with a document, in one line."""
    problems = error.errors(include_url=False) if hasattr(error, "errors") else []
    found = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}".removeprefix(": ") for problem in problems]
    more = [f"and {len(found) - _SHOWN_PROBLEMS} more"] if len(found) > _SHOWN_PROBLEMS else []
    return "; ".join([*found[:_SHOWN_PROBLEMS], *more]) or getattr(error, "strerror", None) or str(error)


def torn_file(file: Path, error: object, expected: str, fix: str = COMPUTED) -> ConfigurationError:
    """Return the error about a file of a study that is there and cannot be read."""
    return study_error(file, f"a file that cannot be read ({error})", f"{expected}, as automl wrote it", fix)


def study_error(where: Path, found: str, expected: str, fix: str) -> ConfigurationError:
    """Return the error about one thing in a study directory."""
    problem = Problem(where=str(where), found=found, expected=expected, fix=fix)
    return ConfigurationError.from_problems([problem], subject="the study directory")


@contextlib.contextmanager
def only_for_user() -> Iterator[None]:
    """Make what this process and its children write meanwhile readable by their user alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _new_adapter(kind: Any, *, is_writer: bool = False) -> TypeAdapter[Any]:  # noqa: ANN401 # a type expression
    from pydantic import TypeAdapter  # noqa: PLC0415 - 0.3 s, only where documents are read or written

    if not is_writer:
        return TypeAdapter(kind)
    # The configuration of the tuple holds for all below it: without it a NaN where any value may stand becomes null.
    return TypeAdapter(tuple[kind], config={"ser_json_inf_nan": "constants"})


_adapter: Callable[..., TypeAdapter[Any]] = cache(_new_adapter)
