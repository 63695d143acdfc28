"""Names of parameters, metrics and tags as MLflow accepts them.

MLflow refuses names with characters outside letters, digits and ``_ - . space : /`` and names that are not a normal
relative path. Skills use both: ``val/i2t_R@1``, ``[bbox] val_mAP@50``, ``train.classify.cls_weight[1]``. Each refused
character becomes a word between colons (``val/i2t_R:at:1``), a colon itself becomes ``:colon:``. MLflow's list of
characters and its lengths: ``mlflow.utils.validation``, version 3.17.
"""

from __future__ import annotations

import hashlib
import posixpath
import re

MAX_NAME_LENGTH = 250

_WORDS = {
    ":": "colon",
    "@": "at",
    "[": "open",
    "]": "close",
    "%": "percent",
    "+": "plus",
    "#": "hash",
    "/": "slash",
    ".": "dot",
}
_REFUSED = re.compile(r"[^/\w.\- ]", re.ASCII)


def encode_name(name: str) -> str:
    """Return a name that MLflow accepts for parameters, metrics and tags.

    Names that need no change are returned as they are; an empty one is ``:empty:``. The result may be longer than
    `MAX_NAME_LENGTH`.
    """
    if not name:
        return ":empty:"
    encoded = _REFUSED.sub(lambda match: _escape(match[0]), name)
    if posixpath.normpath(encoded) == encoded and not encoded.startswith(("/", "..")) and encoded != ".":
        return encoded
    return encoded.replace("/", _escape("/")).replace(".", _escape("."))


def _escape(character: str) -> str:
    return f":{_WORDS.get(character, f'x{ord(character):x}')}:"


def stored_name(name: str) -> str:
    """Return the encoded name, cut to `MAX_NAME_LENGTH`: a hash of the whole keeps two that are cut apart."""
    encoded = encode_name(name)
    if len(encoded) <= MAX_NAME_LENGTH:
        return encoded
    end = f":{hashlib.sha256(encoded.encode()).hexdigest()[:12]}"
    return encoded[: MAX_NAME_LENGTH - len(end)] + end
