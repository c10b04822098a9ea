"""The sets of days-past-due buckets declared in buckets.toml, their SQL and their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

from data.declarations import Declaration, convert, convert_entries, read_toml
from data.errors import UserError

DECLARATIONS = Path(__file__).with_name("buckets.toml")


class BucketSet(Declaration, frozen=True):
    """One set of buckets.

    Attributes
    ----------
    monthly
        Whether each bucket is one month wide.
    edges
        The highest days past due of each bucket but the last, ascending from 0.
    codes
        One per bucket, mildest first: one more than `edges`.
    """

    id: str
    name: Mapping[str, str]
    monthly: bool
    edges: tuple[int, ...]
    codes: tuple[str, ...]

    def __post_init__(self) -> None:
        is_ascending = all(low < high for low, high in pairwise(self.edges))
        if self.edges[:1] != (0,) or not is_ascending:
            raise ValueError("edges must ascend from 0")
        if len(self.codes) != len(self.edges) + 1:
            raise ValueError("codes must be one more than edges")
        if len(set(self.codes)) != len(self.codes) or not all(map(str.isidentifier, self.codes)):
            raise ValueError("codes must be distinct plain words")

    @property
    def sql(self) -> str:
        """The code of a loan by `fact.days_past_due`, 'unknown' where that is null."""
        return self._case([f"'{code}'" for code in self.codes], "'unknown'")

    @property
    def position_sql(self) -> str:
        """The position of that code in `codes` as utinyint, 255 where days past due are null."""
        positions = [str(position) for position in range(len(self.codes))]
        return f"cast({self._case(positions, '255')} as utinyint)"

    def _case(self, values: Sequence[str], unknown: str) -> str:
        steps = " ".join(
            f"when fact.days_past_due <= {edge} then {value}"
            for edge, value in zip(self.edges, values, strict=False)
        )
        last = f"when fact.days_past_due is not null then {values[-1]}"
        return f"case {steps} {last} else {unknown} end"

    def labels(self, lang: str) -> dict[str, str]:
        """Return code → label, mildest first."""
        last = self.edges[-1]
        if lang == "zh-CN":
            labels = ["未逾期", *self._ranges("天"), f"{last} 天以上"]
        else:
            labels = ["Current", *self._ranges("days"), f"Over {last} days"]
        return dict(zip(self.codes, labels, strict=True))

    def _ranges(self, unit: str) -> list[str]:
        return [f"{low + 1}–{high} {unit}" for low, high in pairwise(self.edges)]


class _File(Declaration, frozen=True):
    set: dict[str, dict]


@cache
def bucket_sets(path: Path = DECLARATIONS) -> Mapping[str, BucketSet]:
    """Return the declared sets by id.

    Raises
    ------
    BadDeclaration
        With the path of the entry, for example `set.months.edges`.
    """
    declared = convert(read_toml(path), _File, path.name).set
    entries = {id: {**entry, "id": id} for id, entry in declared.items()}
    return convert_entries(entries, BucketSet, path.name, "set")


def bucket_set_named(id: str) -> BucketSet:
    """Raises UserError with the declared sets when there is none of that name."""
    if id not in bucket_sets():
        raise UserError("unknown_buckets", id=id, sets=bucket_sets())
    return bucket_sets()[id]
