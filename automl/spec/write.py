"""Write and read spec files, exactly and atomically.

Ints stay ints, floats keep every digit and look like floats to readers of YAML 1.1 too (``1.0e-05``), text that looks
like a number stays quoted text. A file appears complete or not at all.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from automl.config_files import FLOAT_PATTERN, INT_PATTERN, read_document
from automl.errors import ConfigurationError
from automl.regular_file import NotAFileError
from automl.regular_file import kind_of as kind_of_file
from automl.skill.fields import kind_of
from automl.skill.model import ConfigFormat, JsonValue
from automl.spec.model import Spec, iterate_leaves

_INT_KEY = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_UNUSUAL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_TOML_INT = 2**63


class _Dumper(yaml.SafeDumper):
    """The safe dumper, which quotes text that a YAML 1.2 reader would take for a float."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 # PyYAML's signature
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Only double quotes escape the line ends of Unicode; the other styles would change them.
    style = '"' if _UNUSUAL.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT_PATTERN, list("-+0123456789."))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", INT_PATTERN, list("-+0123456789"))


def render_spec(spec: Spec, config_format: ConfigFormat) -> str:
    """Return the text of a spec file.

    Raises:
        ConfigurationError: the format cannot hold a value.
    """
    match config_format:
        case ConfigFormat.YAML:
            return yaml.dump(
                _with_int_keys(spec.values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4096
            )
        case ConfigFormat.JSON:
            return json.dumps(spec.values, indent=2, ensure_ascii=False) + "\n"
        case ConfigFormat.TOML:
            import tomli_w  # noqa: PLC0415 # only skills with TOML specs need it

            return tomli_w.dumps(_for_toml(spec.values))


def write_spec(spec: Spec, config_format: ConfigFormat, file: Path) -> str:
    """Write a spec; the file is replaced at once, whatever happens meanwhile.

    Returns:
        The SHA-256 of the file.

    Raises:
        ConfigurationError: the format cannot hold a value.
        OSError: the file cannot be written.
    """
    text = render_spec(spec, config_format)
    try:
        content = text.encode("utf-8")
    except UnicodeEncodeError as error:
        # A path with bytes that are no UTF-8 reaches Python as lone surrogates.
        found = f"text that is not Unicode: {text[error.start - 20 : error.end + 5]!r}"
        fix = "rename the file it names"
        raise ConfigurationError.single(
            "the spec", where=str(file), found=found, expected="Unicode text", fix=fix
        ) from error
    # Trainers in containers may run as another user.
    replace_file(file, content, mode=0o644)
    return hashlib.sha256(content).hexdigest()


def replace_file(file: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file under a temporary name, flush it to disk, then rename it into place.

    Raises:
        NotAFileError: a folder, a device or a pipe is in its place, or a link to one.
        OSError: there is no such folder, or the file cannot be written; what was there before stays.
    """
    # A device would be replaced too: `--output /dev/stdout` by an administrator takes that from everybody.
    if (kind := _no_file_in(file)) is not None:
        raise NotAFileError(errno.EINVAL, f"it is {kind}, not a file", str(file))
    try:
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    except OSError as error:
        error.filename = str(file)  # nobody knows the temporary one
        raise
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(mode)
        temporary.replace(file)
    except BaseException as error:
        temporary.unlink(missing_ok=True)  # not of a study: a temporary file made just before
        if isinstance(error, OSError):  # a full disk names no file
            error.filename, error.filename2 = str(file), None
        raise


def _no_file_in(place: Path) -> str | None:
    """Return what is in a place, or what a link there leads to, if it is no regular file; None where nothing is."""
    try:
        return kind_of_file(place.stat().st_mode)
    except OSError:
        return None


def read_spec(file: Path) -> Spec:
    """Read a spec file by its suffix.

    Raises:
        ConfigurationError: it cannot be read, or is not a mapping.
    """
    document = read_document(file)
    if not isinstance(document, dict):
        fix = "write key: value lines"
        raise ConfigurationError.single(
            "the spec", where=str(file), found=kind_of(document), expected="a mapping", fix=fix
        )
    return Spec(values=document, origins=MappingProxyType({path: "file" for path, _ in iterate_leaves(document)}))


def _with_int_keys(value: JsonValue) -> Any:  # noqa: ANN401 # keys become ints again
    match value:
        case dict():
            return {int(k) if _INT_KEY.fullmatch(k) else k: _with_int_keys(child) for k, child in value.items()}
        case list():
            return [_with_int_keys(item) for item in value]
        case _:
            return value


def _for_toml(value: JsonValue, where: str = "") -> Any:  # noqa: ANN401 # what tomli_w takes
    """Return a value without the keys of None, which TOML cannot represent; a missing key means the same."""
    match value:
        case dict():
            kept = {key: child for key, child in value.items() if child is not None}
            return {key: _for_toml(child, f"{where}.{key}" if where else key) for key, child in kept.items()}
        case list():
            return [_for_toml(item, f"{where}[{index}]") for index, item in enumerate(value)]
        case None | int() if value is None or not -_TOML_INT <= value < _TOML_INT:
            expected = "a value that TOML can hold"
            raise ConfigurationError.single(
                "the spec", where=where, found=repr(value), expected=expected, fix="change the value"
            )
        case _:
            return value
