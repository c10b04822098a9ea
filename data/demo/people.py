"""The customers: hidden types, credit standing and the attributes of the contract, all as arrays
over customers.
"""

from dataclasses import dataclass, field, fields

import numpy as np
import pyarrow as pa

from data.demo import delivery, names
from data.demo.attributes import CHANGING, Columns, draw_attributes
from data.demo.delivery import code_values
from data.demo.places import BranchNetwork
from data.demo.story import BURN_IN, FAILING_PROVINCE, SAVER, STEADY, STRETCHED, first_day, last_day

TYPE_SHARE = np.array([0.22, 0.15, 0.22, 0.08, 0.10, 0.23])
STANDING = np.array([0.75, 0.85, -0.35, 0.10, -1.05, 0.05])
HIDDEN_GOOD_SHARE = 0.05
HIDDEN_BAD_SHARE = 0.12
MAX_LATER_MONTHS = 12
"""Months after the anchor for which the bank can be continued."""
NEW_CUSTOMERS_A_MONTH = 0.0033
"""Customers that join in each month after the anchor, as a share of the bank's customers."""

_AGES = np.array([[27, 54], [40, 69], [21, 39], [29, 57], [22, 52], [19, 72]])
PERSONAL_FLAGS = ("is_married", "has_fixed_home_here", "owns_home_here")
"""Flags that are null for firms."""


@dataclass
class People:
    """Arrays over customers, shape (customers,); index 0..n-1 is the customer number less one.

    Days are days since 1970-01-01. The columns of attributes.CHANGING hold the present values.
    """

    type: np.ndarray
    """Position in story.TYPES."""
    standing: np.ndarray
    """Credit standing on a standard normal scale."""
    hidden_good: np.ndarray
    hidden_bad: np.ndarray
    outlet: np.ndarray
    province: np.ndarray
    manager: np.ndarray
    since: np.ndarray
    """Day on which the customer joined."""
    columns: Columns
    """Attributes by value, see attributes.CustomerAttributes."""
    codes: Columns
    grade: np.ndarray
    score: np.ndarray
    income: np.ndarray
    """Monthly income in fen; -1 is null."""
    record: np.ndarray
    arrears_anywhere: np.ndarray
    original: Columns = field(init=False)
    """The changing columns as they were at the beginning."""

    def __post_init__(self) -> None:
        self.original = {name: getattr(self, name).copy() for name in CHANGING}

    def __len__(self) -> int:
        return len(self.type)


def stream(seed: int, *tags: int) -> np.random.Generator:
    """Return an independent random stream for each combination of seed and tags."""
    return np.random.Generator(np.random.SFC64([seed, *tags]))


def draw_days(rng: np.random.Generator, n: int, month: int) -> np.ndarray:
    """Draw `n` days of a month, days since 1970-01-01."""
    start = int(first_day(month))
    length = int(last_day(month)) - start + 1
    return start + (rng.random(n) * length).astype(np.int64)


def draw_types(
    customers: int, seed: int, block: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw hidden types and the two misgraded groups of one block of customers: type, hidden_good,
    hidden_bad.
    """
    rng = stream(seed, 10, block)
    limits = np.cumsum(TYPE_SHARE)[:-1]
    kind = np.searchsorted(limits, rng.random(customers), side="right").astype(np.int8)
    u = rng.random(customers)
    good = ((kind == STEADY) | (kind == SAVER)) & (u < HIDDEN_GOOD_SHARE)
    bad = (kind == STRETCHED) & (u < HIDDEN_BAD_SHARE)
    return kind, good, bad


def build_people(
    customers: int, seed: int, network: BranchNetwork, first_month: int, anchor: int
) -> People:
    """Build the bank's `customers` at the anchor, and those that will join in the MAX_LATER_MONTHS
    after it.

    The later ones are always drawn, so that a bank continued after the anchor has the same past.
    """
    blocks = [_build_block(customers, seed, 0, network, first_month, anchor)]
    count = max(1, round(customers * NEW_CUSTOMERS_A_MONTH))
    for month in range(anchor + 1, anchor + MAX_LATER_MONTHS + 1):
        blocks.append(_build_block(count, seed, month - anchor, network, month, month))
    arrays = {
        item.name: np.concatenate([getattr(block, item.name) for block in blocks])
        for item in fields(People)
        if item.name not in ("columns", "codes", "original")
    }
    return People(
        **arrays,
        columns=_concatenate([block.columns for block in blocks]),
        codes=_concatenate([block.codes for block in blocks]),
    )


def _concatenate(blocks: list[Columns]) -> Columns:
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _build_block(
    n: int, seed: int, block: int, network: BranchNetwork, first_month: int, last_month: int
) -> People:
    """Build block 0, the customers at the anchor, or a block of those that join later."""
    rng = stream(seed, 11, block)
    kind, hidden_good, hidden_bad = draw_types(n, seed, block)
    standing = (STANDING[kind] + 0.70 * rng.standard_normal(n)).clip(-3.0, 3.0)
    standing = np.where(hidden_good, -0.9 - 1.1 * rng.random(n), standing)
    standing = np.where(hidden_bad, 0.35 + 1.0 * rng.random(n), standing)
    limits = np.cumsum(network.outlet_share)[:-1]
    outlet = np.searchsorted(limits, rng.random(n), side="right").astype(np.int16)
    province = network.province_of_outlet[outlet]
    manager = network.first_manager[outlet] + rng.random(n) * network.manager_count[outlet]
    start = int(first_day(first_month))
    end = int(last_day(last_month))
    if block:
        since = start + (rng.random(n) * (end - start + 1)).astype(np.int32)
    else:
        months = last_month - first_month + 1
        since = _draw_since(rng, province, start, end, months)
    age = _AGES[kind, 0] + rng.random(n) * (_AGES[kind, 1] - _AGES[kind, 0])
    birth = (end - age * 365.25).astype(np.int32)
    since = np.maximum(since, birth + 18 * 366)
    if block:
        birth = np.minimum(birth, since - 18 * 366)
    attributes = draw_attributes(rng, kind, standing, age, since, end)
    return People(
        type=kind,
        standing=standing,
        hidden_good=hidden_good,
        hidden_bad=hidden_bad,
        outlet=outlet,
        province=province,
        manager=manager.astype(np.int32),
        since=since,
        columns=attributes.plain | {"birth_on": birth},
        codes=attributes.codes,
        **attributes.changing,
    )


def _draw_since(
    rng: np.random.Generator, province: np.ndarray, start: int, end: int, months: int
) -> np.ndarray:
    """Draw the days on which customers joined, some of them within the `months` from `start` to
    `end`.
    """
    n = len(province)
    before = start - 31 * BURN_IN
    share_new = min(0.12, 0.0034 * months)
    share_new = np.where(province == FAILING_PROVINCE, share_new * 0.45, share_new * 1.07)
    u = rng.random(n)
    new = u < share_new
    recent = ~new & (u > 0.92)
    v = rng.random(n)
    since = before - 30 - v**1.5 * 365 * 14
    since = np.where(recent, before + v * (start - before), since)
    since = np.where(new, start + v * (end - start + 1), since)
    return since.astype(np.int32)


def customer_columns(
    people: People,
    network: BranchNetwork,
    who: np.ndarray,
    valid_from: np.ndarray,
    changing: Columns,
) -> dict[str, pa.Array]:
    """Return the contract's customer rows for the customer indices `who`.

    `changing` holds the columns of CHANGING of these rows, `valid_from` days since 1970-01-01.
    """
    codes = {name: values[who] for name, values in people.codes.items()}
    plain = {name: values[who] for name, values in people.columns.items()}
    firm = (codes["kind"] == 2) | (codes["kind"] == 3)
    birth = plain.pop("birth_on")
    gender = np.maximum(codes["gender"], 0)
    # Eleven digits like a mobile number, but mobile numbers begin with 13 to 19.
    phone = (who.astype(np.int64) * 61_803_399 + 17) % 100_000_000
    result = {
        "customer_id": delivery.key("C", who + 1, 8),
        "valid_from": delivery.day(valid_from),
        "id_number": names.id_numbers(who, birth, gender, ~firm),
        "phone": delivery.key("100", phone, 8),
        "name": names.name_texts(plain.pop("surname"), plain.pop("forename"), firm),
        "since_on": delivery.day(people.since[who]),
        "birth_on": delivery.day(birth, ~firm),
        "branch_id": network.branches_of(people.outlet[who]),
        "manager_id": delivery.key("M", people.manager[who] + 1, 5),
        "credit_grade": _code("credit_grade", changing["grade"]),
        "own_credit_record": _code("own_credit_record", changing["record"]),
        "in_arrears_anywhere": pa.array(changing["arrears_anywhere"]),
        "credit_score": pa.array(changing["score"], mask=changing["score"] < 0),
        "monthly_income": delivery.money(changing["income"], changing["income"] >= 0),
    }
    for name, positions in codes.items():
        result[name] = _code(name, positions)
    contract = delivery.CONTRACT["customer"]["column"]
    for name, values in plain.items():
        kind = contract[name]["type"]
        if kind == "money":
            result[name] = delivery.money(values, values >= 0)
        elif kind == "date":
            result[name] = delivery.day(values)
        elif kind == "int":
            result[name] = pa.array(values, mask=values < 0)
        else:
            result[name] = pa.array(values, mask=firm if name in PERSONAL_FLAGS else None)
    return result


def _code(name: str, positions: np.ndarray) -> pa.Array:
    return delivery.code(positions, code_values("customer", name))
