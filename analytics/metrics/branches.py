"""The tree of branches, for pages and filters."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.sql.templates import load
from data.editions.reader import Warehouse


@dataclass(frozen=True)
class Branch:
    """One branch; `path` is the codes from the top to the branch itself, at most three."""

    id: str
    path: tuple[str, ...]
    zh: str
    en: str

    def name(self, lang: str) -> str:
        """Return the name in a language, the Chinese one where there is no English one."""
        if lang == "zh-CN" or not self.en:
            return self.zh
        return self.en


def tree(warehouse: Warehouse) -> dict[str, Branch]:
    """Return code → branch of the first three levels, parents before children."""
    branches = {}
    for row in warehouse.query(load("questions/branch_tree")).to_dict("records"):
        levels = (row["branch_1"], row["branch_2"], row["branch_3"])
        path = tuple(code for code in levels if isinstance(code, str) and code)
        id = row["branch_id"]
        if path and path[-1] == id:
            english = row["name_en"] if isinstance(row["name_en"], str) else ""
            branches[id] = Branch(id, path, str(row["name"]), english)
    return branches
