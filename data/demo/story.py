"""When and where the planted story happens; all months are counted from January 1970.

The months hang on the anchor, the as-of month of the bank's first full delivery, so that later months leave the
past as it was.
"""

from dataclasses import dataclass, field

import numpy as np

TYPES = ("steady", "saver", "revolver", "trader", "stretched", "dormant")
STEADY, SAVER, REVOLVER, TRADER, STRETCHED, DORMANT = range(6)

PARTNER_PROVINCE = 2
"""Province whose partner-channel loans of two quarters go bad (Cangbei, 沧北)."""
FAILING_PROVINCE = 5
"""Province that misses its targets (Jidong, 霁东)."""
SILENT_PROVINCE = 0
"""Province of the manager who leaves warnings unhandled (Lanjiang, 澜江)."""

BURN_IN = 26
"""Months lived through before the first delivered one, so that arrears and settlements are in a steady state."""

_DAYS = (
    np.arange("1890-01", "2120-01", dtype="datetime64[M]").astype("datetime64[D]").astype(np.int32)
)
_ZERO = (1970 - 1890) * 12


def first_day(month):
    """First day (days since 1970-01-01) of a month or an array of months."""
    return _DAYS[np.asarray(month, dtype=np.int64) + _ZERO]


def last_day(month):
    return first_day(np.asarray(month) + 1) - 1


def month_of(days):
    """Month of days since 1970-01-01."""
    return np.asarray(days).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def iso(day) -> str:
    return str(np.datetime64(int(day), "D"))


@dataclass(frozen=True)
class Story:
    anchor: int
    partner: range = field(init=False)
    shift: int = field(init=False)
    campaign: range = field(init=False)

    def __post_init__(self):
        # The two calendar quarters that end at least 15 months before the anchor: old enough for 12 months on book.
        end = (self.anchor - 15 + 1) // 3 * 3
        object.__setattr__(self, "partner", range(end - 6, end))
        object.__setattr__(self, "shift", self.anchor - 15)
        object.__setattr__(self, "campaign", range(self.anchor - 7, self.anchor - 4))

    def improvement(self, month: int) -> float:
        """How far underwriting and collection improved: 0 until a year before the anchor, 1 from the anchor on."""
        return min(max((month - (self.anchor - 13)) / 13, 0.0), 1.0)
