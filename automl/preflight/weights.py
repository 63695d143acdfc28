"""Check checkpoints by their first bytes: the kind, and whether the file is complete.

Found in practice in place of weights: a pointer of Git LFS, the error page of a download, a file that was cut short.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from automl.machine import shown_bytes
from automl.preflight.findings import Finding, bad, doubt, good
from automl.regular_file import open_regular
from automl.spec.model import iterate_leaves

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl.skill.model import JsonValue

_HEAD = 512
_LENGTH_BYTES = 8
_SUFFIXES = (".pth", ".pt", ".ckpt", ".tlt", ".safetensors", ".hdf5", ".onnx", ".bin")
_WORDS = ("checkpoint", "pretrained", "resume", "weights")
_EXPECTED = "a checkpoint (torch or safetensors)"
_AGAIN = "copy or download it again"
_PAGE = ("a web page, not the weights", "download it again; a login may be needed")
_DISGUISES = {
    b"version https://git-lfs": ("a Git LFS pointer, not the weights", "git lfs pull"),
    **dict.fromkeys((b"<!doctype", b"<html", b"<?xml", b'{"error'), _PAGE),
}
"""First bytes, in small letters -> what was found in place of weights, and the fix."""
_FOLDER_FILES = ("*.safetensors", "pytorch_model*.bin", "*.pth", "*.pt", "*.ckpt", "*.distcp", "*/*.distcp")


def named_weights(values: dict[str, JsonValue]) -> Iterator[tuple[str, str]]:
    """Yield (parameter path, text) of each text in a spec that is likely the path of weights."""
    for path, value in iterate_leaves(values):
        if isinstance(value, str) and value and "://" not in value and "${" not in value:
            key = path.rpartition(".")[2].lower()
            is_named = any(word in key for word in _WORDS) and "/" in value
            if value.lower().endswith(_SUFFIXES) or is_named:
                yield path, value


def check_weights(path: str, value: str) -> Finding:
    """Return the row about the file or folder that a parameter of the spec names as a checkpoint."""
    check, file = f"checkpoint {path}", Path(value)
    try:
        return _check_folder(check, file) if file.is_dir() else _check_file(check, file)
    except OSError as error:
        reason = error.strerror or str(error)
        return bad(check, f"{value}: {reason}", expected="a checkpoint", fix=f"correct {path}")


def _check_folder(check: str, folder: Path) -> Finding:
    for pattern in _FOLDER_FILES:
        if (first := next(folder.glob(pattern), None)) is not None:
            return good(check, f"a folder with {first.relative_to(folder)}")
    fix = "name the file, or the folder that holds the weights"
    return doubt(check, f"{folder}, a folder without weights", expected="a folder with weights", fix=fix)


def _check_file(check: str, file: Path) -> Finding:
    with open_regular(file) as stream:
        head = stream.read(_HEAD)
    if not head:
        return bad(check, f"{file}: an empty file", expected=_EXPECTED, fix=_AGAIN)
    for start, (found, fix) in _DISGUISES.items():
        if head.lstrip().lower().startswith(start):
            return bad(check, f"{file}: {found}", expected=_EXPECTED, fix=fix)
    kind, count = _kind(file, head), shown_bytes(file.stat().st_size)
    if kind == "incomplete":
        return bad(check, f"{file}: {count} of a file that was cut short", expected=_EXPECTED, fix=_AGAIN)
    if kind is None:
        fix = "an encrypted .tlt needs its key; anything else: check the file"
        return doubt(check, f"{file}: {count} of an unknown kind", expected=_EXPECTED, fix=fix)
    if (file.suffix == ".safetensors") != (kind == "safetensors") and file.suffix in {".safetensors", ".pth", ".pt"}:
        fix = "give it the suffix of its kind: trainers choose the reader by it"
        return bad(check, f"{file}: {kind} in a file called {file.suffix}", expected=_EXPECTED, fix=fix)
    return good(check, f"{kind}, {count}: {file}")


def _kind(file: Path, head: bytes) -> str | None:
    if head.startswith(b"PK\x03\x04"):
        return "torch" if zipfile.is_zipfile(file) else "incomplete"
    if head.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        return "torch (legacy pickle)"
    if head.startswith(b"\x89HDF"):
        return "HDF5"
    length = int.from_bytes(head[:_LENGTH_BYTES], "little")
    if head[_LENGTH_BYTES : _LENGTH_BYTES + 1] == b"{":
        return "safetensors" if _is_whole_safetensors(file, length) else "incomplete"
    return "ONNX" if file.suffix == ".onnx" else None


def _is_whole_safetensors(file: Path, length: int) -> bool:
    total = file.stat().st_size
    if length > total - _LENGTH_BYTES:
        return False
    with open_regular(file) as stream:
        stream.seek(_LENGTH_BYTES)
        try:
            header = json.loads(stream.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, RecursionError, AttributeError, LookupError, TypeError):
            return False
    return total >= _LENGTH_BYTES + length + max(ends, default=0)
