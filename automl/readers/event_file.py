"""Read the scalars of one TensorBoard event file while another process is still writing it.

Each record of a file is an ``Event`` of protocol buffers. Only the fields of scalars are declared here: all others are
skipped, and large records, which hold pictures, are not read.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl.storage.tf_record import HEAD_BYTES, TAIL_BYTES, checksum, length_of
from automl.storage.trainer_files import open_made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

_LARGEST_EVENT_BYTES = 1024 * 1024
_MOST_BYTES_AT_ONCE = 256 * 1024
_DT_FLOAT, _DT_DOUBLE = 1, 2
_SCALARS = b"scalars"

# Message -> field: number, type; ``*`` repeats it, a name is another message. See tensorflow's event.proto,
# summary.proto and tensor.proto.
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Event": {"step": (2, "int64"), "summary": (5, "Summary")},
    "Summary": {"value": (1, "*Value")},
    "Value": {"tag": (1, "bytes"), "simple_value": (2, "float"), "tensor": (8, "Tensor"), "metadata": (9, "Metadata")},
    "Metadata": {"plugin_data": (1, "PluginData")},
    "PluginData": {"plugin_name": (1, "bytes")},
    "Tensor": {
        "dtype": (1, "int32"),
        "tensor_content": (4, "bytes"),
        "float_val": (5, "*float"),
        "double_val": (6, "*double"),
    },
}
_TYPES = {"double": 1, "float": 2, "int64": 3, "int32": 5, "bytes": 12}
_MESSAGE_TYPE, _OPTIONAL, _REPEATED = 11, 1, 3


@dataclass(frozen=True, slots=True)
class Scalars:
    """The scalars of one event: step, and name -> number, which may be not finite."""

    step: int
    values: dict[str, float]


@dataclass(slots=True)
class EventFile:
    """The scalars of one growing event file, each returned once.

    Attributes:
        path: The file.
        folder: The folder of the trainer that writes it.
        damaged_at: Position of a record whose checksum is wrong and that may be complete; None for none.
    """

    path: Path
    folder: Path
    damaged_at: int | None = None
    _offset: int = 0

    def read(self) -> list[Scalars]:
        """Return what was completed since the last call, of at most 256 KiB; a torn last record waits for its end."""
        try:
            if self.path.stat().st_size <= self._offset:
                return []
            with open_made(self.folder, self.path) as stream:
                return [found for content in self._records(stream) if (found := _scalars(content)) is not None]
        except OSError:
            return []

    def finish(self) -> Iterator[Scalars]:
        """Yield all that is left."""
        before = -1
        while before != self._offset:
            before = self._offset
            yield from self.read()

    def _records(self, stream: BinaryIO) -> Iterator[bytes]:
        self.damaged_at = None
        last = self._offset + _MOST_BYTES_AT_ONCE
        size = stream.seek(0, 2)
        while self._offset < last:
            stream.seek(self._offset)
            head = stream.read(HEAD_BYTES)
            if len(head) < HEAD_BYTES:
                return
            length = length_of(head)
            if length is None:
                self.damaged_at = self._offset
                return
            end = self._offset + HEAD_BYTES + length + TAIL_BYTES
            if end > size:
                return
            if length <= _LARGEST_EVENT_BYTES:
                content = stream.read(length)
                if checksum(content) != stream.read(TAIL_BYTES):
                    self.damaged_at = self._offset
                    return
                yield content
            self._offset = end


def _scalars(content: bytes) -> Scalars | None:
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - only where there is an event file

    try:
        event = _event_class().FromString(content)
    except DecodeError:
        return None
    values = {
        value.tag.decode("utf-8", errors="backslashreplace"): number
        for value in event.summary.value
        if (number := _number(value)) is not None
    }
    return Scalars(step=max(event.step, 0), values=values) if values else None


def _number(value: Any) -> float | None:  # noqa: ANN401 - a message
    """Return the number of a value; None for pictures, texts, histograms and the like."""
    if value.HasField("simple_value"):
        return _decimal(value.simple_value)
    tensor = value.tensor
    if value.metadata.plugin_data.plugin_name != _SCALARS or tensor.dtype not in {_DT_FLOAT, _DT_DOUBLE}:
        return None
    listed = tensor.float_val if tensor.dtype == _DT_FLOAT else tensor.double_val
    form = "<f" if tensor.dtype == _DT_FLOAT else "<d"
    if len(tensor.tensor_content) == struct.calcsize(form):
        listed = struct.unpack(form, tensor.tensor_content)
    if len(listed) != 1:
        return None
    return _decimal(listed[0]) if tensor.dtype == _DT_FLOAT else float(listed[0])


def _decimal(value: float) -> float:
    """Return the number with the fewest digits that 32 bits keep as this one: 0.1, not 0.10000000149."""
    import numpy as np  # noqa: PLC0415 - only where there is an event file

    return float(str(np.float32(value)))


@functools.cache
def _event_class() -> Any:  # noqa: ANN401 - made at run time
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # noqa: PLC0415 - as above

    package = "automl.event_file"
    file = descriptor_pb2.FileDescriptorProto(name="automl/event_file.proto", package=package)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            plain = kind.lstrip("*")
            added = message.field.add(name=field, number=number, label=_REPEATED if plain != kind else _OPTIONAL)
            added.type = _TYPES.get(plain, _MESSAGE_TYPE)
            if plain in _MESSAGES:
                added.type_name = f".{package}.{plain}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.Event"))
