"""The customers: hidden types, credit standing and the attributes of the contract, all as arrays over customers."""

from dataclasses import dataclass, field

import numpy as np

from data.demo import attributes
from data.demo.story import BURN_IN, FAILING_PROVINCE, SAVER, STEADY, STRETCHED, first_day, last_day

TYPE_SHARE = np.array([0.22, 0.15, 0.22, 0.08, 0.10, 0.23])
STANDING = np.array([0.75, 0.85, -0.35, 0.10, -1.05, 0.05])
HIDDEN_GOOD_SHARE, HIDDEN_BAD_SHARE = 0.05, 0.12
LATER = 12
"""Months after the anchor that the bank can be lived further."""
ADDED_A_MONTH = 0.0033
"""Customers that join in each month after the anchor, as a share of the bank's customers."""

_AGES = np.array([[27, 54], [40, 69], [21, 39], [29, 57], [22, 52], [19, 72]])


@dataclass
class People:
    """Arrays over customers. `index` 0..n-1 is the customer number less one; days are days since 1970-01-01."""

    type: np.ndarray
    standing: np.ndarray
    hidden_good: np.ndarray
    hidden_bad: np.ndarray
    outlet: np.ndarray
    province: np.ndarray
    manager: np.ndarray
    since: np.ndarray
    columns: dict
    codes: dict
    grade: np.ndarray
    score: np.ndarray
    income: np.ndarray
    record: np.ndarray
    arrears_anywhere: np.ndarray
    first: dict = field(init=False)
    """The changing columns as they were at the beginning."""

    def __post_init__(self):
        self.first = {name: getattr(self, name).copy() for name in attributes.CHANGING}

    def __len__(self):
        return len(self.type)


def stream(seed: int, *tags: int) -> np.random.Generator:
    """An independent random stream for each combination of seed and tags."""
    return np.random.Generator(np.random.SFC64([seed, *tags]))


def draw_types(customers: int, seed: int, block: int = 0):
    """Hidden types and the two misgraded groups of one block of customers: (type, is_hidden_good, is_hidden_bad)."""
    rng = stream(seed, 10, block)
    kind = np.searchsorted(np.cumsum(TYPE_SHARE)[:-1], rng.random(customers), side="right").astype(
        np.int8
    )
    u = rng.random(customers)
    good = ((kind == STEADY) | (kind == SAVER)) & (u < HIDDEN_GOOD_SHARE)
    bad = (kind == STRETCHED) & (u < HIDDEN_BAD_SHARE)
    return kind, good, bad


def build(customers, seed, places, outlet_share, first_month, anchor) -> People:
    """The bank's `customers` at the anchor, and those that will join in the LATER months after it.

    They are always drawn, wanted or not, so that a bank lived further has the same past.
    """
    blocks = [_block(customers, seed, 0, places, outlet_share, first_month, anchor)]
    for month in range(anchor + 1, anchor + LATER + 1):
        count = max(1, round(customers * ADDED_A_MONTH))
        blocks.append(_block(count, seed, month - anchor, places, outlet_share, month, month))
    single = [name for name in blocks[0] if name not in ("columns", "codes")]
    joined = {name: np.concatenate([block[name] for block in blocks]) for name in single}
    for part in ("columns", "codes"):
        joined[part] = {
            name: np.concatenate([block[part][name] for block in blocks])
            for name in blocks[0][part]
        }
    return People(**joined)


def _block(n, seed, block, places, outlet_share, first_month, last_month) -> dict:
    rng = stream(seed, 11, block)
    kind, hidden_good, hidden_bad = draw_types(n, seed, block)
    standing = (STANDING[kind] + 0.70 * rng.standard_normal(n)).clip(-3.0, 3.0)
    standing = np.where(hidden_good, -0.9 - 1.1 * rng.random(n), standing)
    standing = np.where(hidden_bad, 0.35 + 1.0 * rng.random(n), standing)
    outlet = np.searchsorted(np.cumsum(outlet_share)[:-1], rng.random(n), side="right").astype(
        np.int16
    )
    province = places.province_of_outlet[outlet]
    manager = (places.first_manager[outlet] + rng.random(n) * places.managers_at[outlet]).astype(
        np.int32
    )

    start, end = int(first_day(first_month)), int(last_day(last_month))
    if block:
        since = start + (rng.random(n) * (end - start + 1)).astype(np.int32)
    else:
        long_ago = start - 31 * BURN_IN
        share_new = min(0.12, 0.0034 * (last_month - first_month + 1))
        u = rng.random(n)
        new = u < np.where(province == FAILING_PROVINCE, share_new * 0.45, share_new * 1.07)
        recent = ~new & (u > 0.92)
        v = rng.random(n)
        since = np.where(
            new,
            start + v * (end - start + 1),
            np.where(recent, long_ago + v * (start - long_ago), long_ago - 30 - v**1.5 * 365 * 14),
        ).astype(np.int32)
    age = _AGES[kind, 0] + rng.random(n) * (_AGES[kind, 1] - _AGES[kind, 0])
    birth = (end - age * 365.25).astype(np.int32)
    since = np.maximum(since, birth + 18 * 366)
    if block:
        birth = np.minimum(birth, since - 18 * 366)
    columns, codes, changing = attributes.draw(rng, kind, standing, age, since, end)
    return {
        "type": kind,
        "standing": standing,
        "hidden_good": hidden_good,
        "hidden_bad": hidden_bad,
        "outlet": outlet,
        "province": province,
        "manager": manager,
        "since": since,
        "columns": columns | {"birth_on": birth},
        "codes": codes,
        **changing,
    }
