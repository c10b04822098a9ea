"""Default formats of delivered text: dates, and the words that stand for no value."""

from __future__ import annotations

DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y年%m月%d日")
NULLS = ("null", "n/a", "na", "#n/a", "-", "--", "—", "无", "\\n")
