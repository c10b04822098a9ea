"""Loans of the invented bank: products, the behaviour of each hidden customer type, and the table
of loans.
"""

from dataclasses import dataclass, field, fields
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

BRANCH, MOBILE, PARTNER, DEVELOPER, DEALER, DECORATOR = range(6)
"""Positions of the sales channels in the contract's list of codes."""
CREDIT, GUARANTEED, PLEDGED, MORTGAGED = range(4)
"""Positions of the kinds of guarantee in the contract's list of codes."""


class Product(NamedTuple):
    """One loan product.

    `median` is the median principal in CNY, `spread` the standard deviation of its logarithm,
    `rate` the yearly rate of an average customer in units of 0.0001, `terms` the three terms in
    months, `risk` a factor on the monthly probability of arrears.
    """

    product_id: str
    name: str
    name_en: str
    family: str
    median: int
    spread: float
    rate: int
    terms: tuple[int, int, int]
    risk: float
    guarantee: int


_NAMES = (
    ("HM1", "一手住房按揭", "New-home mortgage"),
    ("HM2", "二手住房按揭", "Resale-home mortgage"),
    ("CS1", "装修贷", "Renovation loan"),
    ("CS2", "综合消费贷", "Consumer loan"),
    ("CS3", "薪享信用贷", "Payroll credit loan"),
    ("ED1", "教育贷", "Education loan"),
    ("MD1", "医疗分期", "Medical instalments"),
    ("CR1", "新车贷", "New-car loan"),
    ("CR2", "二手车贷", "Used-car loan"),
    ("BS1", "个体经营贷", "Small-business loan"),
    ("BS2", "房抵经营贷", "Home-backed business loan"),
    ("CD1", "信用卡账单分期", "Card bill instalments"),
    ("CD2", "信用卡现金分期", "Card cash instalments"),
)
_TERMS = (
    ("home", 460_000, 0.32, 350, (240, 300, 360), 0.25, MORTGAGED),
    ("home", 380_000, 0.32, 360, (180, 240, 300), 0.28, MORTGAGED),
    ("consumer", 110_000, 0.3, 480, (36, 48, 60), 0.8, CREDIT),
    ("consumer", 70_000, 0.4, 780, (24, 36, 48), 1.2, CREDIT),
    ("consumer", 90_000, 0.35, 450, (24, 36, 36), 0.6, CREDIT),
    ("education", 42_000, 0.35, 520, (36, 48, 60), 0.8, GUARANTEED),
    ("medical", 28_000, 0.35, 690, (12, 18, 24), 0.95, CREDIT),
    ("car", 115_000, 0.25, 420, (36, 48, 60), 0.65, MORTGAGED),
    ("car", 62_000, 0.3, 560, (24, 36, 48), 0.95, MORTGAGED),
    ("business", 180_000, 0.45, 520, (12, 24, 36), 1.0, GUARANTEED),
    ("business", 480_000, 0.35, 400, (60, 84, 120), 0.45, MORTGAGED),
    ("card", 9_000, 0.45, 1250, (6, 12, 18), 1.05, CREDIT),
    ("card", 16_000, 0.45, 1380, (12, 18, 24), 1.35, CREDIT),
)
"""Terms of the products in the order of the names; the columns are Product's from `family` on."""
PRODUCTS = tuple(Product(*names, *terms) for names, terms in zip(_NAMES, _TERMS, strict=True))
HM1, HM2, CS1, CS2, CS3, ED1, MD1, CR1, CR2, BS1, BS2, CD1, CD2 = range(13)
"""Positions of the products in PRODUCTS."""

MEDIAN_PRINCIPAL = np.array([product.median for product in PRODUCTS])
PRINCIPAL_SPREAD = np.array([product.spread for product in PRODUCTS])
BASE_RATE = np.array([product.rate for product in PRODUCTS])
TERMS = np.array([product.terms for product in PRODUCTS], dtype=np.int16)
PRODUCT_RISK = np.array([product.risk for product in PRODUCTS])
PRODUCT_GUARANTEE = np.array([product.guarantee for product in PRODUCTS], dtype=np.int8)

CHANNEL_SHARE = np.array(
    [
        [0.30, 0.05, 0.00, 0.65, 0.00, 0.00],
        [0.85, 0.15, 0.00, 0.00, 0.00, 0.00],
        [0.25, 0.20, 0.05, 0.00, 0.00, 0.50],
        [0.30, 0.50, 0.20, 0.00, 0.00, 0.00],
        [0.25, 0.75, 0.00, 0.00, 0.00, 0.00],
        [0.50, 0.35, 0.15, 0.00, 0.00, 0.00],
        [0.20, 0.40, 0.40, 0.00, 0.00, 0.00],
        [0.15, 0.10, 0.00, 0.00, 0.75, 0.00],
        [0.15, 0.10, 0.05, 0.00, 0.70, 0.00],
        [0.75, 0.20, 0.05, 0.00, 0.00, 0.00],
        [0.95, 0.05, 0.00, 0.00, 0.00, 0.00],
        [0.05, 0.95, 0.00, 0.00, 0.00, 0.00],
        [0.05, 0.90, 0.05, 0.00, 0.00, 0.00],
    ]
)
"""Share of each channel by product (rows).

Columns: branch, mobile, partner, developer, dealer, decorator.
"""
PRODUCT_SHARE = np.array(
    [
        [0.30, 0.16, 0.10, 0.05, 0.17, 0.05, 0.03, 0.12, 0.02, 0.00, 0.00, 0.00, 0.00],
        [0.28, 0.14, 0.20, 0.10, 0.08, 0.05, 0.05, 0.10, 0.00, 0.00, 0.00, 0.00, 0.00],
        [0.02, 0.02, 0.02, 0.12, 0.02, 0.03, 0.04, 0.02, 0.03, 0.00, 0.00, 0.45, 0.23],
        [0.02, 0.04, 0.00, 0.02, 0.00, 0.00, 0.00, 0.02, 0.02, 0.60, 0.28, 0.00, 0.00],
        [0.01, 0.03, 0.05, 0.51, 0.00, 0.04, 0.12, 0.02, 0.08, 0.03, 0.01, 0.02, 0.08],
        [0.25, 0.20, 0.10, 0.20, 0.00, 0.10, 0.05, 0.05, 0.05, 0.00, 0.00, 0.00, 0.00],
    ]
)
"""Share of each product (columns) in the loans of each hidden type (rows)."""
BORROWER_SHARE = np.array([0.93, 0.34, 0.98, 0.96, 0.99, 0.06])
"""Share of customers that ever borrow, by hidden type, as all arrays from here to LATER_LOAN."""
LOAN_AT_START_SHARE = np.array([0.95, 0.70, 0.92, 0.92, 0.94, 0.60])
"""Share of the borrowers that have a loan when the simulation starts."""
SECOND_LOAN_SHARE = np.array([0.34, 0.04, 0.50, 0.32, 0.70, 0.00])
"""Share of these that have a second one."""
TYPE_RISK = np.array([0.55, 0.40, 1.00, 0.85, 2.30, 0.90])
"""Factor on the monthly probability of arrears."""
EARLY_PAYMENT = np.array([0.10, 0.45, 0.02, 0.55, 0.01, 0.05])
"""Probability that an instalment is paid before its due day."""
LATE_IN_MONTH = np.array([0.01, 0.01, 0.06, 0.05, 0.85, 0.15])
"""Probability that an instalment is paid after its due day but within the month."""
SPLIT_PAYMENT = np.array([0.004, 0.004, 0.015, 0.02, 0.07, 0.01])
"""Probability that an instalment is paid in two parts."""
EARLY_SETTLEMENT = np.array([0.006, 0.010, 0.010, 0.018, 0.003, 0.006])
"""Monthly probability of early settlement."""
RELOAN = np.array([0.17, 0.09, 0.35, 0.36, 0.30, 0.05])
"""Probability of a new loan within 90 days of the settlement of the last one."""
LATER_LOAN = np.array([0.46, 0.28, 0.78, 0.75, 0.62, 0.08])
"""Probability of a new loan later, for those without one within 90 days."""
CURE = np.array([0.665, 0.46, 0.24, 0.030])
"""Monthly probability that all arrears are paid, with 1, 2, 3, 4 or more instalments unpaid."""
STAY = np.array([0.08, 0.10, 0.07, 0.020])
"""Monthly probability that exactly one instalment is paid, by the same rows."""
PARTIAL = np.array([0.04, 0.06, 0.07, 0.030])
"""Monthly probability that part of an instalment is paid, by the same rows."""
BASE_HAZARD = 0.044
"""Monthly probability that a loan without arrears misses its instalment, before all factors."""
GRADE_RISK = np.array([0.62, 0.66, 1.75, 1.65])
"""Factor on it by grade group (AAA and AA, A and BBB, BB and B, C and D)."""


_INT8 = {"dtype": np.int8}
_INT16 = {"dtype": np.int16}
_INT32 = {"dtype": np.int32}
_INT64 = {"dtype": np.int64}
_FLOAT32 = {"dtype": np.float32}
_BOOL = {"dtype": np.bool_}


@dataclass
class Loans:
    """Loans as a table: one array per attribute, all of shape (loans,).

    `rate` and `funding_rate` are millionths a year. `due_principal` and `due_interest` are the
    instalment issued for the coming month; `scheduled_principal_paid` and `scheduled_interest_paid`
    sum the instalments of the simulated months, whether paid or not.
    """

    customer: np.ndarray = field(metadata=_INT32)
    product: np.ndarray = field(metadata=_INT8)
    channel: np.ndarray = field(metadata=_INT8)
    guarantee: np.ndarray = field(metadata=_INT8)
    principal: np.ndarray = field(metadata=_INT64)
    rate: np.ndarray = field(metadata=_INT32)
    funding_rate: np.ndarray = field(metadata=_INT32)
    term_months: np.ndarray = field(metadata=_INT16)
    disbursed_on: np.ndarray = field(metadata=_INT32)
    matures_on: np.ndarray = field(metadata=_INT32)
    closed_on: np.ndarray = field(metadata=_INT32)
    written_off_on: np.ndarray = field(metadata=_INT32)
    sold_on: np.ndarray = field(metadata=_INT32)
    restructured_on: np.ndarray = field(metadata=_INT32)
    rollover_of: np.ndarray = field(metadata=_INT32)
    """Index of the loan that this one continues; -1 for none."""
    due_day: np.ndarray = field(metadata=_INT8)
    equal_principal: np.ndarray = field(metadata=_BOOL)
    bad_partner: np.ndarray = field(metadata=_BOOL)
    """Loan of the partner channel that the story lets go bad."""
    hazard: np.ndarray = field(metadata=_FLOAT32)
    """Monthly probability of falling into arrears, before season and improvement."""
    write_off_after: np.ndarray = field(metadata=_INT8)
    """Number of unpaid instalments at which the loan is written off or sold."""
    instalments_issued: np.ndarray = field(metadata=_INT16)
    outstanding: np.ndarray = field(metadata=_INT64)
    """Scheduled principal after the instalments issued."""
    level_payment: np.ndarray = field(metadata=_INT64)
    """Monthly instalment of an annuity; monthly principal where `equal_principal`."""
    due_principal: np.ndarray = field(metadata=_INT64)
    due_interest: np.ndarray = field(metadata=_INT64)
    arrears: np.ndarray = field(metadata=_INT64)
    instalments_unpaid: np.ndarray = field(metadata=_INT16)
    scheduled_principal_paid: np.ndarray = field(metadata=_INT64)
    scheduled_interest_paid: np.ndarray = field(metadata=_INT64)
    prepaid: np.ndarray = field(metadata=_INT64)
    last_clean_month: np.ndarray = field(metadata=_INT32)
    """Last month that ended without arrears."""

    @classmethod
    def of(cls, size: int, **columns: npt.ArrayLike) -> "Loans":
        """Return a table of `size` rows; columns that are not given are zero."""
        loans = cls(**{item.name: np.zeros(size, item.metadata["dtype"]) for item in fields(cls)})
        for name, values in columns.items():
            getattr(loans, name)[:] = values
        return loans

    def __len__(self) -> int:
        return len(self.customer)

    def resize(self, size: int) -> None:
        """Make room for `size` rows."""
        for item in fields(self):
            setattr(self, item.name, np.resize(getattr(self, item.name), size))

    def write(self, start: int, rows: "Loans") -> None:
        """Copy `rows` to the rows from `start` on."""
        for item in fields(self):
            getattr(self, item.name)[start : start + len(rows)] = getattr(rows, item.name)


class UnpaidInstalments(NamedTuple):
    """Instalments of one or more months of loans in arrears; arrays of shape (instalments,),
    amounts in fen.
    """

    loan: np.ndarray
    month: np.ndarray
    number: np.ndarray
    principal: np.ndarray
    interest: np.ndarray


def draw_rates(rng: np.random.Generator, product: np.ndarray, standing: np.ndarray) -> np.ndarray:
    """Draw yearly rates in millionths, lower with better credit standing."""
    discount = np.rint(28 * np.clip(standing, -2.5, 2.0)).astype(np.int64)
    noise = (rng.random(len(product)) * 40).astype(np.int64) - 20
    return np.maximum((BASE_RATE[product] - discount + noise) // 5 * 5, 280) * 100


def annuity(principal: np.ndarray, rate: np.ndarray, months: np.ndarray) -> np.ndarray:
    """Return the fixed payment a month in fen: P·r/(1-(1+r)^-n); `rate` in millionths a year."""
    r = rate / 12e6
    return np.rint(principal * r / -np.expm1(-months * np.log1p(r))).astype(np.int64)
