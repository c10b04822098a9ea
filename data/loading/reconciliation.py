"""What was read, loaded, refused and skipped, table by table, and when that stops a load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from data.errors import UserError
from data.messages import reason

MIN_COMPARED_ROWS = 1000


@dataclass
class LoadCounts:
    """The reconciliation of one table, or of one raw file of a mapped source. read = loaded + rejected + skipped."""

    name: str
    read: int = 0
    loaded: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    rejects: dict[str, int] = field(default_factory=dict)
    totals: dict[str, Decimal] = field(default_factory=dict)
    notes: list[dict] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def orphans(self) -> int:
        return self.rejects.get("orphan", 0)

    @property
    def rejected(self) -> int:
        return sum(self.rejects.values())

    def note(self, code: str, count: int, **facts) -> None:
        if count:
            self.notes.append(
                {"code": code, "count": int(count)} | ({"facts": facts} if facts else {})
            )

    def check(self, limits: Mapping[str, float]) -> None:
        """Refused when the records do not add up or a share is over its limit."""
        skipped = sum(self.skipped.values())
        if self.read != self.loaded + self.rejected + skipped:
            raise UserError(
                "reconcile",
                table=self.name,
                read=self.read,
                loaded=self.loaded,
                rejected=self.rejected,
                skipped=skipped,
            )
        conflicts = self.rejects.get("conflicting_duplicate", 0)
        plain = self.rejected - self.orphans
        worst = max(
            (kind for kind in self.rejects if kind != "orphan"),
            key=self.rejects.get,
            default="orphan",
        )
        for code, count, limit in (
            ("conflict_share", conflicts, limits["conflicts"]),
            ("orphan_share", self.orphans, limits["orphans"]),
            ("reject_share", plain, limits["rejects"]),
        ):
            if count > limit * self.read:
                share = count / self.read
                raise UserError(
                    code,
                    table=self.name,
                    count=count,
                    share=f"{share:.2%}",
                    limit=f"{limit:.2%}",
                    worst=f"{worst} ({reason(worst)})",
                )

    def plain(self) -> dict:
        """As JSON: counts, totals as exact text."""
        return {
            "read": self.read,
            "loaded": self.loaded,
            "rejected": self.rejected,
            "skipped": sum(self.skipped.values()),
            "orphans": self.orphans,
            "rejects": self.rejects,
            "skips": self.skipped,
            "totals": {column: str(total) for column, total in self.totals.items()},
            "notes": self.notes,
            "seconds": round(self.seconds, 2),
        }


def check_totals(table: str, totals: Mapping[str, Decimal], promised: Mapping[str, str]) -> None:
    """Refused when a control total differs by as little as one fen."""
    for column, want in promised.items():
        got = totals.get(column, Decimal(0))
        try:
            equal = got == Decimal(str(want).replace(",", ""))
        except InvalidOperation:
            equal = False
        if not equal:
            raise UserError("total_differs", table=table, column=column, got=got, want=want)


def check_volume(
    compared: Mapping[str, LoadCounts],
    before: Mapping[str, Mapping],
    limit: float,
    *,
    same_kind: bool,
) -> None:
    """Refused (held) when a table's rows, its money, or its money per row left the band against the delivery before.

    Rows and sums are compared between deliveries of one kind; money per row always, at five times up or down: a
    change of
    unit (万元 to 元) moves it by ten thousand.
    """
    for name, counts in compared.items():
        old = before.get(name)
        if not old or min(old["read"], counts.read) < MIN_COMPARED_ROWS:
            continue
        if same_kind and abs(counts.read - old["read"]) > limit * old["read"]:
            _hold(name, "rows", old["read"], counts.read, limit)
        for column, total in counts.totals.items():
            was = Decimal(old["totals"].get(column, 0))
            if was <= 0 or total <= 0:
                continue
            if same_kind and abs(total - was) > Decimal(str(limit)) * was:
                _hold(name, column, was, total, limit)
            change = (total / counts.read) / (was / old["read"])
            if not Decimal("0.2") <= change <= 5:
                _hold(
                    name,
                    f"{column} / row",
                    round(was / old["read"], 2),
                    round(total / counts.read, 2),
                    4,
                )


def _hold(table: str, what: str, old, new, limit: float) -> None:
    raise UserError("volume", table=table, what=what, old=old, new=new, limit=f"{limit:.0%}")
