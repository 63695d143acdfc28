"""Records of TensorBoard's event files: length, masked CRC-32C of it, content, masked CRC-32C of it.

See ``tensorflow/core/lib/io/record_writer.h``.
"""

from __future__ import annotations

import struct

HEAD_BYTES, TAIL_BYTES = 12, 4
_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8
_WORD = 0xFFFFFFFF


def _crc_of_byte(crc: int) -> int:
    for _ in range(8):
        crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc


_CRC = tuple(map(_crc_of_byte, range(256)))


def record(content: bytes) -> bytes:
    """Return a record of an event file."""
    length = struct.pack("<Q", len(content))
    return length + checksum(length) + content + checksum(content)


def length_of(head: bytes) -> int | None:
    """Return how long the content behind the head of a record is; None where the head is damaged."""
    return int.from_bytes(head[:8], "little") if checksum(head[:8]) == head[8:HEAD_BYTES] else None


def checksum(content: bytes) -> bytes:
    """Return the masked CRC-32C of a length or a content."""
    crc = _WORD
    for byte in content:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= _WORD
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK_DELTA) & _WORD)
