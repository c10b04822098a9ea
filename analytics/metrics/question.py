"""A question to the warehouse: metric, month end, dimensions, filters, as language-free codes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

# Months between a month end and the one that it is compared with.
COMPARISONS = {"mom": 1, "yoy": 12}


@dataclass(frozen=True)
class Question:
    """What is to be computed.

    Attributes
    ----------
    by
        Dimensions to group by; `class` is the class of `scheme`.
    where
        Pairs of dimension and accepted codes; all pairs must hold.
    opening
        Months before `as_of` at which the class is taken: 0 (the class of the day), 1, 3 or 12.
    last
        Number of month ends up to `as_of`.
    compare
        A key of `COMPARISONS`, or None.
    scope
        Branch ids that the reader may see; empty for all.
    """

    metric: str
    as_of: date
    by: tuple[str, ...] = ()
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    scheme: str = "abcd"
    opening: int = 3
    last: int = 1
    compare: str | None = None
    scope: tuple[str, ...] = ()

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The dimensions to group by and those of the filters."""
        return (*self.by, *(name for name, _ in self.where))

    @property
    def uses_class(self) -> bool:
        """Whether the answer depends on the class of a customer or loan."""
        return "class" in self.dimensions

    def with_changes(self, metric: str | None = None, **changes: Any) -> Question:
        """The same question with some fields replaced."""
        return replace(self, metric=metric or self.metric, **changes)
