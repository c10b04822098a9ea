"""Branches, managers and products of the invented bank 澄岸银行 (Cheng'an Bank)."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from data.demo import delivery
from data.demo.loans import PRODUCTS
from data.demo.names import draw_names, name_texts

PROVINCES = (
    ("澜江", "Lanjiang", 0.16, ("青渡", "Qingdu"), ("安澜", "Anlan"), ("望潮", "Wangchao")),
    (
        "云岭南",
        "Yunlingnan",
        0.14,
        ("翠屏", "Cuiping"),
        ("石泉口", "Shiquankou"),
        ("雾山", "Wushan"),
    ),
    (
        "沧北",
        "Cangbei",
        0.14,
        ("长汀渡", "Changtingdu"),
        ("河津湾", "Hejinwan"),
        ("朔宁", "Shuoning"),
    ),
    ("汀南", "Tingnan", 0.13, ("榕川", "Rongchuan"), ("鹭湾", "Luwan"), ("海晏", "Haiyan")),
    ("雁西", "Yanxi", 0.12, ("雁回", "Yanhui"), ("金谷", "Jingu"), ("驼铃", "Tuoling")),
    ("霁东", "Jidong", 0.12, ("霁城", "Jicheng"), ("松港", "Songgang"), ("柳营", "Liuying")),
    ("砚川", "Yanchuan", 0.10, ("墨溪", "Moxi"), ("竹关", "Zhuguan"), ("云台口", "Yuntaikou")),
    ("珞海", "Luohai", 0.09, ("珞珠", "Luozhu"), ("银滩", "Yintan"), ("帆城", "Fancheng")),
)
OUTLETS = (("城东", "East"), ("高新", "Hi-tech"), ("江湾", "Riverside"))

OUTLET_WEIGHTS = (1.2, 1.0, 0.8)
CITY_WEIGHTS = (1.25, 1.0, 0.75)


@dataclass
class BranchNetwork:
    """Branches and managers as arrays; branches are positions in `branch_ids`, outlets and managers
    indices.
    """

    branch_ids: np.ndarray
    """Identifiers of all branches, head office first; shape (branches,)."""
    province_of_outlet: np.ndarray
    """Index of the province; shape (outlets,)."""
    outlet_branch: np.ndarray
    """Position of the outlet's branch; shape (outlets,)."""
    outlet_share: np.ndarray
    """Share of the customers, sum one; shape (outlets,)."""
    province_branch: np.ndarray
    """Position of the province's branch; shape (provinces,)."""
    manager_outlet: np.ndarray
    """Outlet of each manager; shape (managers,)."""
    first_manager: np.ndarray
    """First manager; shape (outlets,)."""
    manager_count: np.ndarray
    """Number of managers; shape (outlets,)."""
    tables: dict[str, dict[str, pa.Array]]
    """Columns of the tables branch, manager and product."""

    def branches_of(self, outlet: np.ndarray) -> pa.Array:
        """Return the branch_id of each of these outlets."""
        return pa.array(self.branch_ids).take(pa.array(self.outlet_branch[outlet]))

    def product_ids(self, product: np.ndarray) -> pa.Array:
        """Return the product_id of each of these positions in PRODUCTS."""
        return self.tables["product"]["product_id"].take(pa.array(product))


class _Branches:
    """The branches in order, and the outlets among them."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.parents: list[str | None] = []
        self.names: list[str] = []
        self.names_en: list[str] = []
        self.outlet_branch: list[int] = []
        self.outlet_province: list[int] = []
        self.outlet_weight: list[float] = []

    def add(self, branch_id: str, parent: str | None, name: str, name_en: str) -> int:
        """Append a branch and return its position."""
        self.ids.append(branch_id)
        self.parents.append(parent)
        self.names.append(name)
        self.names_en.append(name_en)
        return len(self.ids) - 1

    def add_outlet(self, branch: int, province: int, weight: float) -> None:
        """Record that a branch is an outlet of a province."""
        self.outlet_branch.append(branch)
        self.outlet_province.append(province)
        self.outlet_weight.append(weight)

    def table(self) -> dict[str, pa.Array]:
        """Return the columns of the table branch."""
        return {
            "branch_id": pa.array(self.ids),
            "parent_id": pa.array(self.parents, pa.string()),
            "name": pa.array(self.names),
            "name_en": pa.array(self.names_en),
        }


def build_network(customers: int, seed: int) -> BranchNetwork:
    """Build the three levels below the head office, by size of the bank.

    There are 8 provinces, 2 or 3 cities in each and 1 to 3 outlets in each city.
    """
    branches = _Branches()
    branches.add("00", None, "澄岸银行总行", "Cheng'an Bank head office")
    cities = 2 if customers < 10_000 else 3
    outlets = _outlets_per_city(customers)
    province_branch = [
        _add_province(branches, province, cities, outlets) for province in range(len(PROVINCES))
    ]
    share = np.array(branches.outlet_weight) / sum(branches.outlet_weight)
    manager_count = np.maximum(1, np.round(share * customers / 400)).astype(np.int64)
    manager_outlet = np.repeat(np.arange(len(share)), manager_count)
    manager_branch = np.array(branches.outlet_branch)[manager_outlet]
    rng = np.random.Generator(np.random.SFC64([seed, 2]))
    surname, forename = draw_names(rng, np.arange(len(manager_outlet)) % 2)
    branch = branches.table()
    manager = {
        "manager_id": delivery.key("M", np.arange(len(manager_outlet)) + 1, 5),
        "branch_id": branch["branch_id"].take(pa.array(manager_branch)),
        "name": name_texts(surname, forename),
    }
    product = {
        name: pa.array([getattr(item, name) for item in PRODUCTS])
        for name in ("product_id", "name", "name_en", "family")
    }
    return BranchNetwork(
        branch_ids=np.array(branches.ids),
        province_of_outlet=np.array(branches.outlet_province, dtype=np.int8),
        outlet_branch=np.array(branches.outlet_branch, dtype=np.int32),
        outlet_share=share,
        province_branch=np.array(province_branch, dtype=np.int32),
        manager_outlet=manager_outlet.astype(np.int32),
        first_manager=(np.cumsum(manager_count) - manager_count).astype(np.int32),
        manager_count=manager_count.astype(np.int32),
        tables={"branch": branch, "manager": manager, "product": product},
    )


def _outlets_per_city(customers: int) -> int:
    if customers < 10_000:
        return 1
    return 2 if customers < 50_000 else 3


def _add_province(branches: _Branches, province: int, cities: int, outlets: int) -> int:
    """Add a province with its cities and outlets; return the position of its branch."""
    name, name_en, weight, *towns = PROVINCES[province]
    province_id = f"{province + 1:02d}"
    position = branches.add(province_id, "00", f"{name}省分行", f"{name_en} provincial branch")
    for c, (town, town_en) in enumerate(towns[:cities]):
        city_id = f"{province_id}{c + 1:02d}"
        branches.add(city_id, province_id, f"{town}分行", f"{town_en} branch")
        for o, (site, site_en) in enumerate(OUTLETS[:outlets]):
            outlet_id = f"{city_id}{o + 1:02d}"
            branch = branches.add(
                outlet_id, city_id, f"{town}{site}支行", f"{town_en} {site_en} outlet"
            )
            outlet_weight = weight * CITY_WEIGHTS[c] * OUTLET_WEIGHTS[o]
            branches.add_outlet(branch, province, outlet_weight)
    return position
