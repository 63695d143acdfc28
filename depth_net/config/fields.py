"""How keys of the spec are declared: types that convert as OmegaConf does, defaults, limits, and what a search varies.

The declaration is the only source: pydantic validates specs against it, and `depth_net.schema` makes JSON Schema of it.
Reading a spec is `depth_net.spec`.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer
from pydantic.fields import FieldInfo

_LISTED: Final = 12
UNSET: Final = ("", "???", None)
"""Values that mean "not set" where a key is optional."""


def read_number(value: object) -> object:
    """Refuse booleans and what is not finite as "no value"; read text, so that ``1e3`` is a whole number too.

    ``010`` is 10, as in YAML 1.2, ``0o17`` 15 and ``0x1f`` 31; ``1_000`` is 1000; ``1:30`` is no number.
    """
    if isinstance(value, str) and value.isascii():
        for read in (int, partial(int, base=0), float):
            with suppress(ValueError):
                value = read(value)
                break
    return None if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)) else value


def _text(value: object) -> object:
    if isinstance(value, list | tuple | Mapping):
        return value
    return "" if value in UNSET else str(value)


def _many(value: object) -> object:
    if value in UNSET:
        return ()
    return [value] if isinstance(value, Mapping) else value


_T = TypeVar("_T")
Whole = Annotated[int, BeforeValidator(read_number)]
Real = Annotated[float, BeforeValidator(read_number)]
Text = Annotated[str, BeforeValidator(_text)]
Maybe = Annotated[_T | None, BeforeValidator(lambda value: None if value in UNSET else value)]
"""An optional key."""
Many = Annotated[tuple[_T, ...], BeforeValidator(_many)]
"""A list; a single group of keys is read as a list of one."""
FreeGroup = Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value in UNSET else value)]
"""A group whose keys are free."""
Group = Annotated[_T, BeforeValidator(lambda value: {} if value is None else value)]
"""A group of keys; ``train:`` with nothing below it has the defaults."""


class Section(BaseModel):
    """Base of all groups of keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_serializer(mode="wrap")
    def _without_unset_keys(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out keys of our own that are not set: the container refuses keys that it does not know."""
        fields = type(self).model_fields
        return {
            key: value
            for key, value in dump(self).items()
            if not (is_own(fields[key]) and getattr(self, key) == fields[key].default)
        }

    def to_tree(self) -> dict[str, Any]:
        """Return the group as nested plain values, ready for YAML or JSON."""
        return self.model_dump(mode="json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Range that an automatic search may draw from.

    Attributes:
        low: Smallest value, included; None for options.
        high: Largest value, included; None for options.
        options: Those of the key's choices that are drawn; empty for a range.
        scheduler: Names of the learning-rate schedulers under which the key acts; empty means under every one.
        requires: Dotted key and the values under which this key acts.
        curated: True for the keys that a search varies by default.
    """

    low: float | None = None
    high: float | None = None
    options: tuple[str | int, ...] = ()
    scheduler: tuple[str, ...] = ()
    requires: tuple[str, tuple[bool | str, ...]] | None = None
    curated: bool = False


def setting(
    default: object,
    text: str,
    *,
    search: Search | None = None,
    inert: str | None = None,
    own: bool = False,
    **limits: float,
) -> Any:  # noqa: ANN401 - used as a default of any type
    """Declare a key of the spec; use it as the default of a field.

    Args:
        default: The value of a key that is not set.
        text: One sentence for the schema and for messages.
        search: Range for a search; None where a search would not help or would change the evaluation protocol.
        inert: Why this trainer accepts the key and does not read it; None for a key that acts.
        own: The container does not know the key, so that specs have it only where it is set.
        **limits: ``ge`` (at least), ``gt`` (greater than) and ``le`` (at most), as pydantic names them.
    """
    marks: dict[str, Any] = {"search": search, "inert": inert, "own": own}
    field: FieldInfo = Field(default, description=text, json_schema_extra=marks, **limits)  # type: ignore[call-overload]  # limits
    return field


def search_of(field: FieldInfo) -> Search | None:
    """Return the range that a search may draw a key from."""
    marks: Any = field.json_schema_extra
    search: Search | None = marks["search"]
    return search


def inert_reason(field: FieldInfo) -> str | None:
    """Return why a key is not read; None for one that is."""
    marks: Any = field.json_schema_extra
    reason: str | None = marks["inert"]
    return reason


def is_own(field: FieldInfo) -> bool:
    """Tell whether a key is unknown to the container."""
    marks: Any = field.json_schema_extra
    return bool(marks and marks.get("own"))


def limits_of(field: FieldInfo) -> dict[str, float]:
    """Return the limits of a number, or of the numbers in a list, by pydantic's names."""
    marks = [mark for part in get_args(field.annotation) for mark in getattr(part, "__metadata__", ())]
    nested = [limit for mark in marks if isinstance(mark, FieldInfo) for limit in mark.metadata]
    return {
        name: getattr(mark, name)
        for mark in (*field.metadata, *nested)
        for name in ("gt", "ge", "le")
        if hasattr(mark, name)
    }


def kind_of(hint: object) -> Any:  # noqa: ANN401 - a class, or tuple[...] and dict[...]
    """Return a type without ``| None`` and ``Annotated``."""
    while get_origin(hint) in (Annotated, Union, UnionType):
        hint = get_args(hint)[0]
    return hint


def is_group(kind: object) -> bool:
    """Tell whether a type is a group of keys."""
    return isinstance(kind, type) and issubclass(kind, Section)


def list_choices(field: FieldInfo) -> str:
    """Return the values of an enumeration or a literal, of many the first and the last ones; empty for other types."""
    return shortened(choices_of(field))


def shortened(choices: Sequence[str | int]) -> str:
    """Return words with commas, of many the first and the last ones."""
    words = [str(choice) for choice in choices]
    return ", ".join(words if len(words) <= _LISTED else [*words[: _LISTED // 2], "...", words[-1]])


def choices_of(field: FieldInfo) -> tuple[str | int, ...]:
    """Return the values of an enumeration or a literal; empty for other types."""
    return _choices(kind_of(field.annotation))


def choices_within(field: FieldInfo) -> tuple[str | int, ...]:
    """Return the values of an enumeration or a literal, or of those in a list; empty for other types."""
    kind = kind_of(field.annotation)
    return _choices(kind_of(get_args(kind)[0]) if get_origin(kind) is tuple else kind)


def field_at(kind: type[Section], path: Iterable[str | int]) -> FieldInfo | None:
    """Return the declaration of a key, also of one of a group in a list; None if there is none."""
    field, group = None, kind
    for step in path:
        if isinstance(step, int):
            continue
        field = group.model_fields.get(step) if is_group(group) else None
        if field is None:
            return None
        group = kind_of(field.annotation)
        group = kind_of(get_args(group)[0]) if get_origin(group) is tuple else group
    return field


def _choices(kind: Any) -> tuple[str | int, ...]:  # noqa: ANN401 - see kind_of
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return tuple(member.value for member in kind)
    return get_args(kind) if get_origin(kind) is Literal else ()


def leaves(kind: type[Section], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield dotted path and declaration of every key of a spec, in order."""
    for name, field in kind.model_fields.items():
        inner = kind_of(field.annotation)
        if is_group(inner):
            yield from leaves(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field
