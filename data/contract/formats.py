"""Default formats of a delivery: dates, the words that stand for no value, the currency."""

from __future__ import annotations

DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y年%m月%d日")
# Of a source and of an edition that name none.
CURRENCY = "CNY"
NULLS = ("null", "n/a", "na", "#n/a", "-", "--", "—", "无", "\\n")
