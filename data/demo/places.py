"""Branches, managers and products of the invented bank 澄岸银行 (Cheng'an Bank)."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from data.demo import delivery
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

PRODUCTS = (
    ("HM1", "一手住房按揭", "New-home mortgage", "home"),
    ("HM2", "二手住房按揭", "Resale-home mortgage", "home"),
    ("CS1", "装修贷", "Renovation loan", "consumer"),
    ("CS2", "综合消费贷", "Consumer loan", "consumer"),
    ("CS3", "薪享信用贷", "Payroll credit loan", "consumer"),
    ("ED1", "教育贷", "Education loan", "education"),
    ("MD1", "医疗分期", "Medical instalments", "medical"),
    ("CR1", "新车贷", "New-car loan", "car"),
    ("CR2", "二手车贷", "Used-car loan", "car"),
    ("BS1", "个体经营贷", "Small-business loan", "business"),
    ("BS2", "房抵经营贷", "Home-backed business loan", "business"),
    ("CD1", "信用卡账单分期", "Card bill instalments", "card"),
    ("CD2", "信用卡现金分期", "Card cash instalments", "card"),
)
HM1, HM2, CS1, CS2, CS3, ED1, MD1, CR1, CR2, BS1, BS2, CD1, CD2 = range(13)


@dataclass
class Places:
    """Outlets and managers as arrays: outlet → city and province index, manager → outlet index."""

    province_of_outlet: np.ndarray
    branch_ids: np.ndarray
    outlet_branch: np.ndarray
    province_branch: np.ndarray
    manager_outlet: np.ndarray
    first_manager: np.ndarray
    managers_at: np.ndarray
    tables: dict


def build(customers: int, seed: int) -> tuple[Places, np.ndarray]:
    """Three levels under the head office: 8 provinces, 2 or 3 cities each, 1 to 3 outlets each, by size of the bank.

    Returns the places and the share of the customers at each outlet.
    """
    cities = 2 if customers < 10_000 else 3
    outlets = 1 if customers < 10_000 else 2 if customers < 50_000 else 3
    ids, parents, zh, en = ["00"], [None], ["澄岸银行总行"], ["Cheng'an Bank head office"]
    province_of_outlet, outlet_branch, weights, province_branch = [], [], [], []
    for p, (name, name_en, weight, *towns) in enumerate(PROVINCES):
        province = f"{p + 1:02d}"
        province_branch.append(len(ids))
        ids.append(province)
        parents.append("00")
        zh.append(f"{name}省分行")
        en.append(f"{name_en} provincial branch")
        for c, (town, town_en) in enumerate(towns[:cities]):
            city = f"{province}{c + 1:02d}"
            ids.append(city)
            parents.append(province)
            zh.append(f"{town}分行")
            en.append(f"{town_en} branch")
            for o, (spot, spot_en) in enumerate(OUTLETS[:outlets]):
                outlet_branch.append(len(ids))
                province_of_outlet.append(p)
                weights.append(weight * (1.25, 1.0, 0.75)[c] * (1.2, 1.0, 0.8)[o])
                ids.append(f"{city}{o + 1:02d}")
                parents.append(city)
                zh.append(f"{town}{spot}支行")
                en.append(f"{town_en} {spot_en} outlet")
    weights = np.array(weights) / sum(weights)
    managers_at = np.maximum(1, np.round(weights * customers / 400)).astype(np.int64)
    manager_outlet = np.repeat(np.arange(len(weights)), managers_at)
    names = name_texts(
        *draw_names(
            np.random.Generator(np.random.SFC64([seed, 2])), np.arange(len(manager_outlet)) % 2
        )
    )
    ids_array = pa.array(ids)
    tables = {
        "branch": {
            "branch_id": ids_array,
            "parent_id": pa.array(parents, pa.string()),
            "name": pa.array(zh),
            "name_en": pa.array(en),
        },
        "manager": {
            "manager_id": delivery.key("M", np.arange(len(manager_outlet)) + 1, 5),
            "branch_id": ids_array.take(pa.array(np.array(outlet_branch)[manager_outlet])),
            "name": names,
        },
        "product": {
            name: pa.array([row[i] for row in PRODUCTS])
            for i, name in enumerate(("product_id", "name", "name_en", "family"))
        },
    }
    return Places(
        province_of_outlet=np.array(province_of_outlet, dtype=np.int8),
        branch_ids=np.array(ids),
        outlet_branch=np.array(outlet_branch, dtype=np.int32),
        province_branch=np.array(province_branch, dtype=np.int32),
        manager_outlet=manager_outlet.astype(np.int32),
        first_manager=(np.cumsum(managers_at) - managers_at).astype(np.int32),
        managers_at=managers_at.astype(np.int32),
        tables=tables,
    ), weights
