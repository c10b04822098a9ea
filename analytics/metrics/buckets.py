"""buckets.toml read: the sets of days-past-due buckets, their SQL and their words."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from data.errors import UserError

_FILE = Path(__file__).with_name("buckets.toml")


@dataclass(frozen=True)
class Buckets:
    """One set. `edges` are days, ascending, the first 0; `codes` one more than the edges; see buckets.toml."""

    id: str
    name: Mapping[str, str]
    monthly: bool
    edges: tuple[int, ...]
    codes: tuple[str, ...]

    @property
    def sql(self) -> str:
        """The code of a loan by `fact.days_past_due`."""
        return self._case([f"'{code}'" for code in self.codes], "'unknown'")

    @property
    def place_sql(self) -> str:
        """The place of that code among `codes`, a small number; 255 where the days are unknown."""
        return f"cast({self._case([str(place) for place in range(len(self.codes))], '255')} as utinyint)"

    def _case(self, told: list[str], unknown: str) -> str:
        steps = " ".join(
            f"when fact.days_past_due <= {edge} then {one}"
            for edge, one in zip(self.edges, told, strict=False)
        )
        return (
            f"case {steps} when fact.days_past_due is not null then {told[-1]} else {unknown} end"
        )

    def labels(self, lang: str) -> dict[str, str]:
        """Code → words, mildest first."""
        days, more = ("天", "{} 天以上") if lang == "zh-CN" else ("days", "Over {} days")
        first = "未逾期" if lang == "zh-CN" else "Current"
        spans = [f"{low + 1}–{high} {days}" for low, high in pairwise(self.edges)]
        return dict(zip(self.codes, [first, *spans, more.format(self.edges[-1])], strict=True))


@cache
def sets() -> Mapping[str, Buckets]:
    """The declared sets by id. Raises ValueError for edges or codes that make no set."""
    found = {}
    for id, body in tomllib.loads(_FILE.read_text("utf-8"))["set"].items():
        edges, codes = tuple(body["edges"]), tuple(body["codes"])
        if (
            edges[0] != 0
            or any(low >= high for low, high in pairwise(edges))
            or len(codes) != len(edges) + 1
        ):
            raise ValueError(
                f"buckets.toml, set {id}: edges must ascend from 0, with one code more than edges"
            )
        if not all(code.isidentifier() for code in codes) or len(set(codes)) != len(codes):
            raise ValueError(f"buckets.toml, set {id}: codes must be distinct plain words")
        found[id] = Buckets(id, body["name"], bool(body["monthly"]), edges, codes)
    return found


def buckets_named(id: str) -> Buckets:
    """Raises UserError with the known sets when there is none of that name."""
    if id not in sets():
        raise UserError("unknown_buckets", id=id, sets=sets())
    return sets()[id]
