"""The features declared in segments.toml, as typed objects."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from analytics.i18n.text import LANGUAGES, say
from analytics.metrics.definitions import DIMENSIONS
from data.declarations import BadDeclaration, Declaration, convert, convert_entries, read_toml

DECLARATIONS = Path(__file__).with_name("segments.toml")
NONE = "none"
INACTIVE = "0"
"""Code of the segment of the customers without a loan, deposit or fee in the twelve months."""

Names = Mapping[str, str]
"""A text by language."""


class Feature(Declaration, frozen=True):
    """One measure of a customer's behaviour in the twelve months to a month end.

    Attributes
    ----------
    unit
        rate (a share of one), money (CNY), number, flag (1 yes, 0 no) or category.
    transform
        none, log (log of 1 + x) or signed_log (the same on either side of zero).
    needs
        Tables without which the feature is missing for every customer.
    words
        Of a category: code → name by language.
    split
        Of a category: the dimension whose values name the codes, instead of `words`.
    high, low
        Names for a segment whose mean lies above or below that of all customers.
    """

    id: str
    group: str
    unit: Literal["rate", "money", "number", "flag", "category"]
    name: Names
    meaning: Names
    transform: Literal["none", "log", "signed_log"] = "none"
    needs: tuple[str, ...] = ()
    words: Mapping[str, Names] | None = None
    split: str | None = None
    high: Names | None = None
    low: Names | None = None

    def __post_init__(self) -> None:
        for field in ("name", "meaning", "high", "low"):
            names = getattr(self, field)
            if names is not None and set(names) != set(LANGUAGES):
                raise ValueError(f"{field} needs a text in {' and '.join(LANGUAGES)}")
        if self.split is not None and self.split not in DIMENSIONS:
            raise ValueError(f"split = {self.split!r} is no dimension")
        if self.is_category != (self.words is not None or self.split is not None):
            raise ValueError("a category, and only a category, needs words or split")

    @property
    def is_category(self) -> bool:
        return self.unit == "category"

    def code_name(self, code: str, lang: str) -> str:
        """Return the name of one code of a category; the code itself where it has no name."""
        if code == NONE:
            return say("segments.none", lang)
        names = DIMENSIONS[self.split].values if self.split else self.words or {}
        return names[code][lang] if code in names else code


class _File(Declaration, frozen=True):
    """The two sections of segments.toml: group id → name, feature id → its entry."""

    group: dict[str, dict[str, str]]
    fact: dict[str, dict[str, Any]]


def read(path: Path = DECLARATIONS) -> tuple[dict[str, Feature], dict[str, dict[str, str]]]:
    """Return the features and the names of their groups, both by id.

    Raises
    ------
    BadDeclaration
        With the path of the entry that is wrong.
    """
    sections = convert(read_toml(path), _File, path.name)
    entries = {id: {"id": id} | entry for id, entry in sections.fact.items()}
    features = convert_entries(entries, Feature, path.name, "fact")
    for id, feature in features.items():
        if feature.group not in sections.group:
            problem = f"there is no group {feature.group}"
            place = f"fact.{id}.group"
            raise BadDeclaration("declaration_value", file=path.name, place=place, problem=problem)
    return features, sections.group


FEATURES, GROUPS = read()


@cache
def digest() -> str:
    """Return the digest of segments.toml that a stored fit records: 12 hex digits of SHA-256."""
    return hashlib.sha256(DECLARATIONS.read_bytes()).hexdigest()[:12]
