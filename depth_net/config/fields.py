"""How one key of the spec is declared: its default, its meaning, its limits, and whether a search may vary it.

The declaration is the only source: the loader checks values against it, and `depth_net.schema` makes JSON Schema of it.
Nothing is loaded or checked here; see `depth_net.spec`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KEY = "depth_net"
"""Under this name a declaration lies in the metadata of its dataclass field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Range that an automatic search may draw from.

    Attributes:
        low: Smallest value, included.
        high: Largest value, included.
        scheduler: Names of the learning-rate schedulers under which the key acts; empty means under every one.
        requires: Dotted key and the value that it must have for this key to act.
        curated: True for the keys that a search varies when nobody says otherwise.
    """

    low: float
    high: float
    scheduler: tuple[str, ...] = ()
    requires: tuple[str, bool] | None = None
    curated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Declaration of one key.

    Attributes:
        text: One sentence for the schema and for messages.
        minimum: Smallest accepted number, included.
        maximum: Largest accepted number, included.
        above: Accepted numbers are greater than this.
        search: Range for a search; None where a search would not help or would move the yard-stick.
        inert: Why this trainer accepts the key and does not read it; None for a key that acts.
    """

    text: str
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    search: Search | None = None
    inert: str | None = None


def setting(  # noqa: PLR0913 - one keyword per attribute of the declaration
    default: object,
    text: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    search: Search | None = None,
    inert: str | None = None,
) -> Any:  # noqa: ANN401 - stands where a default of any type is expected
    """Declare a key of the spec; use it as the default of a dataclass field."""
    declared = Setting(text=text, minimum=minimum, maximum=maximum, above=above, search=search, inert=inert)
    if isinstance(default, Mapping):
        return dataclasses.field(default_factory=lambda: default, metadata={KEY: declared})
    return dataclasses.field(default=default, metadata={KEY: declared})


def section(default: object, text: str) -> Any:  # noqa: ANN401 - stands where a default of any type is expected
    """Declare a group of keys whose default is ``default``, an instance of a frozen dataclass."""
    return dataclasses.field(default=default, metadata={KEY: Setting(text=text)})


def declaration(field: dataclasses.Field[Any]) -> Setting:
    """Return the declaration of a dataclass field.

    Raises:
        KeyError: the field was declared without `setting` or `section`.
    """
    declared = field.metadata[KEY]
    if not isinstance(declared, Setting):
        raise TypeError(f"{field.name} is not declared with setting()")
    return declared
