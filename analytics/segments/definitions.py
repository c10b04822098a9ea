"""The facts of analytics/segments/segments.toml, checked when read."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from analytics.i18n.text import LANGUAGES, say
from analytics.metrics.definitions import DIMENSIONS

DECLARATIONS = Path(__file__).with_name("segments.toml")
UNITS = ("rate", "money", "number", "flag", "category")
TRANSFORMS = ("none", "log", "signed_log")
NONE = "none"
INACTIVE = "0"
"""Code of the segment of the customers without dealings."""


class BadDeclaration(ValueError):
    """segments.toml is wrong; the sentence names the fact and the field."""


@dataclass(frozen=True)
class Fact:
    """One behaviour.

    `words` name the codes of a category; `high` and `low` a segment beyond the bank in this fact.
    """

    id: str
    group: str
    unit: str
    name: Mapping[str, str]
    meaning: Mapping[str, str]
    transform: str = "none"
    needs: tuple[str, ...] = ()
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    high: Mapping[str, str] | None = None
    low: Mapping[str, str] | None = None

    @property
    def is_category(self) -> bool:
        return self.unit == "category"

    def code(self, value: str, lang: str) -> str:
        """The words of one code of a category."""
        if value == NONE:
            return say("segments.none", lang)
        return self.words[value][lang] if value in self.words else value


def read(path: Path = DECLARATIONS) -> tuple[dict[str, Fact], dict[str, Mapping[str, str]]]:
    """The facts and the names of their groups, by id. Raises BadDeclaration."""
    told = tomllib.loads(path.read_text(encoding="utf-8"))
    groups = told["group"]
    return {id: _fact(id, dict(body), groups) for id, body in told["fact"].items()}, groups


def _fact(id: str, body: dict, groups: Mapping) -> Fact:
    needed, known = (
        {"group", "unit", "name", "meaning"},
        {"transform", "needs", "words", "split", "high", "low"},
    )
    for name in sorted(needed - set(body)):
        raise BadDeclaration(f"fact {id}: no value for {name}")
    for name in sorted(set(body) - needed - known):
        raise BadDeclaration(f"fact {id}: unknown field {name}")
    for name, allowed in (("group", groups), ("unit", UNITS), ("transform", TRANSFORMS)):
        if body.get(name, "none") not in allowed:
            raise BadDeclaration(
                f"fact {id}: {name} = {body[name]!r}; one of {', '.join(allowed)} is needed"
            )
    for name in ("name", "meaning", "high", "low"):
        if name in body and set(body[name]) != set(LANGUAGES):
            raise BadDeclaration(f"fact {id}: {name} is needed in {' and '.join(LANGUAGES)}")
    split = body.pop("split", None)
    if split:
        body["words"] = DIMENSIONS[split].values
    if (body["unit"] == "category") != ("words" in body):
        raise BadDeclaration(f"fact {id}: a category, and only a category, has words or a split")
    body["needs"] = tuple(body.get("needs", ()))
    return Fact(id, **body)


FACTS, GROUPS = read()


@cache
def digest() -> str:
    """What a kept fit was made from: 12 hex digits over the declaration."""
    return hashlib.sha256(DECLARATIONS.read_bytes()).hexdigest()[:12]
