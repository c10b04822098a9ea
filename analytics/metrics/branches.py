"""The tree of branches as pages and filters need it."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.sql.templates import load
from data.editions.reader import Warehouse


@dataclass(frozen=True)
class Branch:
    """One branch: its code, its path from the top (itself last, at most three levels), its names."""

    id: str
    path: tuple[str, ...]
    zh: str
    en: str

    def name(self, lang: str) -> str:
        """The name in the reader's language; the Chinese one where there is no other."""
        return self.zh if lang == "zh-CN" else self.en or self.zh


def tree(bank: Warehouse) -> dict[str, Branch]:
    """Branch code → Branch, parents before children; branches below the third level are not offered as filters."""
    found: dict[str, Branch] = {}
    for row in bank.query(load("questions/branch_tree")).itertuples():
        path = tuple(
            str(code)
            for code in (row.branch_1, row.branch_2, row.branch_3)
            if isinstance(code, str) and code
        )
        if path and path[-1] == row.branch_id:
            english = row.name_en if isinstance(row.name_en, str) else ""
            found[row.branch_id] = Branch(row.branch_id, path, str(row.name), english)
    return found
