"""When and where the planted story happens; all months are counted from January 1970.

The months are relative to the anchor, the as-of month of the first full delivery, so that adding
later months does not change the past.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TYPES = ("steady", "saver", "revolver", "trader", "stretched", "dormant")
STEADY, SAVER, REVOLVER, TRADER, STRETCHED, DORMANT = range(6)

PARTNER_PROVINCE = 2
"""Province whose partner-channel loans of two quarters go bad (Cangbei, 沧北)."""
FAILING_PROVINCE = 5
"""Province that misses its targets (Jidong, 霁东)."""
SILENT_PROVINCE = 0
"""Province of the manager who leaves warnings unhandled (Lanjiang, 澜江)."""

BURN_IN = 26
"""Months simulated before the first delivered one: arrears and settlements reach a steady state."""

_MONTH_STARTS = (
    np.arange("1890-01", "2120-01", dtype="datetime64[M]").astype("datetime64[D]").astype(np.int32)
)
_OFFSET = (1970 - 1890) * 12


def first_day(month: npt.ArrayLike) -> np.ndarray:
    """Return the first day (days since 1970-01-01) of a month or an array of months; scalars give
    shape ().
    """
    return _MONTH_STARTS[np.asarray(month, dtype=np.int64) + _OFFSET]


def last_day(month: npt.ArrayLike) -> np.ndarray:
    """Return the last day (days since 1970-01-01) of a month or an array of months."""
    return first_day(np.asarray(month) + 1) - 1


def month_of(days: npt.ArrayLike) -> np.ndarray:
    """Return the month of days since 1970-01-01."""
    return np.asarray(days).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def iso(day: npt.ArrayLike) -> str:
    """Return a day since 1970-01-01 as YYYY-MM-DD."""
    return str(np.datetime64(int(np.asarray(day)), "D"))


@dataclass(frozen=True)
class Story:
    """Months of the story's events for an anchor month."""

    anchor: int

    @property
    def partner_months(self) -> range:
        """Two calendar quarters that end at least 15 months before the anchor: old enough for 12
        months on book.
        """
        end = (self.anchor - 15 + 1) // 3 * 3
        return range(end - 6, end)

    @property
    def shift_month(self) -> int:
        """Month from which the bank lends more to weak grades."""
        return self.anchor - 15

    @property
    def campaign_months(self) -> range:
        """Settlement months whose customers the win-back campaign calls."""
        return range(self.anchor - 7, self.anchor - 4)

    def improvement(self, month: int) -> float:
        """Return the improvement of underwriting and collection: 0 a year before the anchor, 1 from
        the anchor on.
        """
        return min(max((month - (self.anchor - 13)) / 13, 0.0), 1.0)
