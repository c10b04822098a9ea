"""What was read, loaded, rejected and skipped, table by table, and when that stops a load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from data.errors import UserError
from data.messages import reason

MIN_COMPARED_ROWS = 1000
# A change of unit (万元 to 元) moves money per row by ten thousand.
MAX_CHANGE_PER_ROW = 5


@dataclass
class LoadCounts:
    """The reconciliation of one table, or of one raw file of a mapped source.

    read = loaded + rejected + skipped.

    Parameters
    ----------
    skipped
        Rows by note code.
    rejects
        Rows by reason.
    totals
        Sums of the money columns in CNY.
    notes
        Remarks as code, count and facts.
    """

    name: str
    read: int = 0
    loaded: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    rejects: dict[str, int] = field(default_factory=dict)
    totals: dict[str, Decimal] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def orphans(self) -> int:
        """Rows that refer to an unknown customer or loan."""
        return self.rejects.get("orphan", 0)

    @property
    def rejected(self) -> int:
        """Rejected rows, orphans included."""
        return sum(self.rejects.values())

    def note(self, code: str, count: int, **facts: Any) -> None:
        """Add a remark; nothing when the count is 0."""
        if not count:
            return
        remark: dict[str, Any] = {"code": code, "count": int(count)}
        if facts:
            remark["facts"] = facts
        self.notes.append(remark)

    def check(self, limits: Mapping[str, float]) -> None:
        """Raise UserError when the counts do not add up or a share exceeds its limit."""
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
        self._check_share("conflict_share", conflicts, limits["conflicts"])
        self._check_share("orphan_share", self.orphans, limits["orphans"])
        self._check_share("reject_share", self.rejected - self.orphans, limits["rejects"])

    def _check_share(self, code: str, count: int, limit: float) -> None:
        if count <= limit * self.read:
            return
        frequent = max(
            (name for name in self.rejects if name != "orphan"),
            key=lambda name: self.rejects[name],
            default="orphan",
        )
        raise UserError(
            code,
            table=self.name,
            count=count,
            share=f"{count / self.read:.2%}",
            limit=f"{limit:.2%}",
            worst=f"{frequent} ({reason(frequent)})",
        )

    def to_json(self) -> dict[str, Any]:
        """Return the counts for JSON; totals as exact text."""
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


def check_volume(
    tables: Mapping[str, LoadCounts],
    before: Mapping[str, Mapping[str, Any]],
    limit: float,
    *,
    same_kind: bool,
) -> None:
    """Raise UserError when rows, money or money per row changed too much since the last delivery.

    Rows and sums are compared between deliveries of one kind, against the share `limit`; money per
    row always, against `MAX_CHANGE_PER_ROW`.

    Parameters
    ----------
    before
        The counts of the last delivery as `LoadCounts.to_json` returns them, by table.
    """
    for name, counts in tables.items():
        old = before.get(name)
        if not old or min(old["read"], counts.read) < MIN_COMPARED_ROWS:
            continue
        if same_kind and abs(counts.read - old["read"]) > limit * old["read"]:
            raise _volume_error(name, "rows", old["read"], counts.read, limit)
        for column, total in counts.totals.items():
            old_total = Decimal(old["totals"].get(column, 0))
            if old_total <= 0 or total <= 0:
                continue
            if same_kind and abs(total - old_total) > Decimal(str(limit)) * old_total:
                raise _volume_error(name, column, old_total, total, limit)
            old_mean = old_total / old["read"]
            mean = total / counts.read
            if not 1 / Decimal(MAX_CHANGE_PER_ROW) <= mean / old_mean <= MAX_CHANGE_PER_ROW:
                raise _volume_error(
                    name,
                    f"{column} / row",
                    round(old_mean, 2),
                    round(mean, 2),
                    MAX_CHANGE_PER_ROW - 1,
                )


def _volume_error(
    table: str, measure: str, old: int | Decimal, new: int | Decimal, limit: float
) -> UserError:
    return UserError("volume", table=table, what=measure, old=old, new=new, limit=f"{limit:.0%}")
