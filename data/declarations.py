"""Declaration files (TOML) as typed objects: an unknown key, a missing one or a wrong type is
refused with its path.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from data.errors import UserError

T = TypeVar("T")
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(.*)`")
_MISSING_FIELD = re.compile(r"Object missing required field `(.*)`")


class BadDeclaration(UserError):
    """A declaration file breaks the rules of its kind."""


class Declaration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, dict=True):
    """Base of everything that a declaration file declares: fields are typed, unknown keys are
    refused.
    """


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    BadDeclaration
        When the file is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadDeclaration("declaration_syntax", file=path.name, problem=error) from None


def convert(raw: Any, kind: type[T], file: str, place: str = "") -> T:
    """Convert what a TOML file holds at `place` to `kind`, a `Declaration` or any other type.

    Raises
    ------
    BadDeclaration
        With the file, the path of the entry (`metric.balance.unit`) and what is wrong with it.
    """
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        problem, _, inner = str(error).partition(" - at `$")
        path = f"{place}{inner.rstrip('`')}".lstrip(".")
        if unknown := _UNKNOWN_FIELD.fullmatch(problem):
            raise BadDeclaration(
                "declaration_unknown_key",
                file=file,
                place=_join(path, unknown[1]),
                known=_keys(kind, inner),
            ) from None
        if missing := _MISSING_FIELD.fullmatch(problem):
            raise BadDeclaration(
                "declaration_missing_key", file=file, place=_join(path, missing[1])
            ) from None
        raise BadDeclaration("declaration_value", file=file, place=path, problem=problem) from None


def convert_entries(
    section: Mapping[str, Any], kind: type[T], file: str, place: str
) -> dict[str, T]:
    """Convert each entry of one section on its own, so that an error names the entry's key."""
    return {key: convert(raw, kind, file, _join(place, key)) for key, raw in section.items()}


def _keys(kind: Any, inner: str) -> list[str]:
    """Return the keys of `kind`, or of the part of it that a path below it names."""
    for step in inner.strip("`.").split("."):
        fields = {field.encode_name: field.type for field in _fields(kind)}
        kind = fields.get(step, kind)
    return sorted(field.encode_name for field in _fields(kind))


def _fields(kind: Any) -> tuple[msgspec.structs.FieldInfo, ...]:
    is_struct = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    return msgspec.structs.fields(kind) if is_struct else ()


def _join(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key
