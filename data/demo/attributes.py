"""Attributes of the customers: the columns of the contract, drawn from hidden type and credit
standing.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data.demo import delivery, names
from data.demo.story import SAVER, STEADY, STRETCHED, TRADER
from data.demo.underwriting import consumer_classes

Columns = dict[str, np.ndarray]

GRADE_FLOORS = np.array([1.45, 0.80, 0.25, -0.30, -0.85, -1.40, -2.10])
"""Lowest standing (a standard normal scale) of each grade but the last."""
CHANGING = ("grade", "score", "income", "record", "arrears_anywhere")
"""Attributes that may change over time."""
_EMPLOYMENT = np.array(
    [  # employed, self_employed, retired, student, unemployed, by type
        [0.97, 0.00, 0.03, 0.00, 0.00],
        [0.62, 0.06, 0.32, 0.00, 0.00],
        [0.82, 0.11, 0.00, 0.03, 0.04],
        [0.00, 1.00, 0.00, 0.00, 0.00],
        [0.64, 0.24, 0.01, 0.00, 0.11],
        [0.52, 0.07, 0.20, 0.11, 0.10],
    ]
)
_EMPLOYERS = np.array(
    [  # the first twelve kinds of employer: good standing, the rest
        [0.11, 0.02, 0.11, 0.08, 0.02, 0.05, 0.04, 0.16, 0.10, 0.07, 0.14, 0.10],
        [0.03, 0.01, 0.04, 0.03, 0.01, 0.01, 0.02, 0.07, 0.07, 0.05, 0.28, 0.38],
    ]
)
_INCOME = np.array([9_800, 12_500, 6_800, 14_000, 5_400, 4_900])
_STABLE = np.array([0.98, 0.96, 0.86, 0.72, 0.50, 0.62])
_EDUCATION = np.array([[0.01, 0.10, 0.31, 0.45, 0.13], [0.08, 0.38, 0.31, 0.20, 0.03]])
_OWNERS = np.array(
    # branch leader, head of consumer credit, account manager: leading people, esteemed, the rest
    [
        [0.78, 0.10, 0.12],
        [0.04, 0.60, 0.36],
        [0.00, 0.02, 0.98],
    ]
)
_ENQUIRIES = np.array([0.4, 0.2, 1.8, 1.0, 4.0, 0.3])


LIST_SHARES = (
    ("is_on_court_list", 0.003),
    ("is_on_blacklist", 0.0025),
    ("is_suspected_fraud", 0.001),
    ("is_suspected_laundering", 0.0006),
    ("is_in_illegal_trade", 0.0004),
    ("is_in_criminal_case", 0.0004),
)
"""Share of customers on each list, at the standing of an average customer and above."""


class CustomerAttributes(NamedTuple):
    """Attributes of customers, arrays of shape (customers,).

    `plain` are columns by value (fen, years, days since 1970-01-01), `codes` positions in the
    contract's list of values, `changing` the columns of CHANGING; -1 is null.
    """

    plain: Columns
    codes: Columns
    changing: Columns


def grade_of(standing: np.ndarray) -> np.ndarray:
    """Return 0 for AAA … 7 for D."""
    return (standing[:, None] < GRADE_FLOORS).sum(axis=1).astype(np.int8)


def score_of(standing: np.ndarray) -> np.ndarray:
    """Return the credit score, 320 to 860."""
    return (600 + 72 * standing).clip(320, 860).astype(np.int16)


def draw_categories(rng: np.random.Generator, share: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Draw a category for each element of `rows` from `share[row]`, or from `share` itself if
    one-dimensional.
    """
    limits = np.cumsum(share, axis=-1)
    limits = (limits / limits[..., -1:])[..., :-1].astype(np.float32)
    u = rng.random(len(rows), dtype=np.float32)
    if limits.ndim == 1:
        return np.searchsorted(limits, u, side="right").astype(np.int8)
    categories = np.zeros(len(rows), dtype=np.int8)
    for row in range(len(limits)):
        where = rows == row
        categories[where] = np.searchsorted(limits[row], u[where], side="right")
    return categories


@dataclass
class _Draws:
    """Random draws for `n` customers, of hidden type `kind` and `standing`."""

    rng: np.random.Generator
    kind: np.ndarray
    standing: np.ndarray

    @property
    def n(self) -> int:
        return len(self.kind)

    @property
    def good(self) -> np.ndarray:
        return self.standing > 0.1

    @property
    def weak(self) -> np.ndarray:
        return np.clip(-self.standing, 0, 3)

    def chance(self, share: np.ndarray | float) -> np.ndarray:
        return self.rng.random(self.n, dtype=np.float32) < share

    def categories(self, *share: float) -> np.ndarray:
        return draw_categories(self.rng, np.array(share), self.kind)

    def drop(self, values: np.ndarray, share: float) -> np.ndarray:
        """Set a share of `values` to null, in place."""
        values[self.chance(share)] = -1
        return values

    def money(self, median: np.ndarray | float, spread: float) -> np.ndarray:
        """Draw lognormal amounts in fen, whole CNY; `median` in CNY."""
        factor = np.exp(spread * self.rng.standard_normal(self.n, dtype=np.float32))
        return (median * factor).astype(np.int64) * 100


@dataclass
class _Job:
    """Work and education; codes are positions in the contract's list of values."""

    employment: np.ndarray
    employed: np.ndarray
    self_employed: np.ndarray
    employer: np.ndarray
    tier: np.ndarray
    rank: np.ndarray
    post: np.ndarray
    title: np.ndarray
    licence: np.ndarray
    education: np.ndarray
    years_with_employer: np.ndarray
    years_in_business: np.ndarray

    @property
    def official(self) -> np.ndarray:
        return self.employed & (self.employer <= 2)

    @property
    def school_or_hospital(self) -> np.ndarray:
        return _at_school_or_hospital(self.employed, self.employer)

    def owner_rank(self) -> np.ndarray:
        """Return 0 for leading people, 1 for esteemed ones, 2 for the rest."""
        enterprise = self.employer == 7
        school = (self.employer == 3) | (self.employer == 4)
        hospital_leader = (self.title >= 3) | (self.post == 0) | (self.post == 5)
        manager = (self.post >= 0) & (self.post <= 3)
        leading = (
            (self.official & (self.rank >= 3))
            | (school & (self.post == 0))
            | ((self.employer == 5) & hospital_leader)
            | (enterprise & manager & (self.tier <= 1))
        )
        esteemed = (
            (self.official & (self.rank >= 1))
            | (self.school_or_hospital & (self.title >= 2))
            | (enterprise & (self.tier <= 1))
        )
        return np.where(leading, 0, np.where(esteemed, 1, 2))


def _at_school_or_hospital(employed: np.ndarray, employer: np.ndarray) -> np.ndarray:
    return employed & (employer >= 3) & (employer <= 6)


def draw_attributes(
    rng: np.random.Generator,
    kind: np.ndarray,
    standing: np.ndarray,
    age: np.ndarray,
    since: np.ndarray,
    end: int,
) -> CustomerAttributes:
    """Draw customers' attributes; `age` in years, `since` and `end` in days since 1970-01-01."""
    draws = _Draws(rng, kind, standing)
    job = _draw_job(draws, age)
    married = draws.chance(np.clip((age - 22) / 12, 0, 0.82))
    stable = draws.chance(_STABLE[kind]) & (job.employment != 3) & (job.employment != 4)
    citizenship = draws.categories(0.992, 0.005, 0.003)
    client_kind = _draw_client_kind(draws, job)
    firm = (client_kind == 2) | (client_kind == 3)
    income = draws.money(_INCOME[kind] * np.exp(0.12 * standing), 0.38)
    payroll_share = np.where(kind == SAVER, 0.45, 0.06)
    payroll_share = np.where(kind == STEADY, 0.90, payroll_share)
    payroll = job.employed & draws.chance(payroll_share)
    payroll_since = np.minimum(since + rng.random(draws.n) * 900, end).astype(np.int32)
    owner_rank = job.owner_rank()
    record = _draw_record(draws)
    spouse_record = draws.categories(0.93, 0.05, 0.014, 0.006)
    spouse_record[~married | firm] = -1
    personal_codes = {
        "gender": (rng.random(draws.n) < 0.52).astype(np.int8),
        "citizenship": citizenship,
        "education": draws.drop(job.education, 0.02),
        "employment": job.employment,
        "employer_kind": draws.drop(job.employer, 0.01),
        "employer_tier": job.tier,
        "post": job.post,
        "professional_title": job.title,
        "licence": job.licence,
        "spouse_credit_record": spouse_record,
    }
    codes = {"kind": client_kind}
    for name, values in personal_codes.items():
        codes[name] = np.where(firm, -1, values).astype(np.int8)
    plain = _draw_home(draws, job, age)
    plain["is_married"] = married
    plain |= _draw_work(draws, job)
    plain["has_stable_income"] = stable
    plain |= _draw_money(draws, job, income, married & ~firm)
    plain["payroll_since"] = np.where(payroll, payroll_since, delivery.NEVER).astype(np.int32)
    pledge = rng.random(draws.n, dtype=np.float32)
    plain["wage_account_pledged"] = pledge
    plain |= _draw_business(draws, job)
    for name, share in LIST_SHARES:
        plain[name] = draws.chance(share * (0.3 + draws.weak))
    upper, fourth = consumer_classes(plain, codes)
    # Class four may have a consumer loan on credit only with its wage account pledged.
    plain["wage_account_pledged"] = payroll & (pledge < np.where(fourth & ~upper, 0.96, 0.12))
    plain["surname"], plain["forename"] = names.draw_names(rng, codes["gender"].clip(0))
    changing = _draw_changing(draws, income, record)
    # The employee in charge of the customer is drawn last, so that all other draws do not depend on
    # it.
    codes["owner_kind"] = draws.drop(draw_categories(rng, _OWNERS, owner_rank), 0.02)
    return CustomerAttributes(plain, codes, changing)


def _draw_job(draws: _Draws, age: np.ndarray) -> _Job:
    rng = draws.rng
    n = draws.n
    by_standing = np.where(draws.good, 0, 1).astype(np.int8)
    employment = draw_categories(rng, _EMPLOYMENT, draws.kind)
    employed = employment == 0
    self_employed = employment == 1
    employer = draw_categories(rng, _EMPLOYERS, by_standing)
    employer = np.where(employed, employer, np.where(self_employed, 12, 13)).astype(np.int8)
    tier = draws.categories(0.10, 0.22, 0.30, 0.38)
    tier[~employed] = -1
    rank = draws.categories(0.52, 0.20, 0.16, 0.09, 0.03)
    rank = np.where(employed & (employer <= 2), rank, 0).astype(np.int16)
    post = draws.categories(0.02, 0.05, 0.10, 0.07, 0.14, 0.05, 0.50, 0.07)
    post[~employed] = -1
    professional_title = draws.categories(0.10, 0.34, 0.36, 0.14, 0.06)
    other_title = draws.categories(0.80, 0.10, 0.07, 0.02, 0.01)
    title = np.where(employed, other_title, 0)
    title = np.where(_at_school_or_hospital(employed, employer), professional_title, title)
    has_licence = employed & draws.chance(0.05)
    licence = np.where(has_licence, 1 + (rng.random(n) * 12), 0).astype(np.int8)
    education = draw_categories(rng, _EDUCATION, by_standing)
    years_job = np.minimum(rng.exponential(7.5, n), np.maximum(age - 22, 0)).astype(np.int16)
    years_business = np.minimum(rng.exponential(8.0, n), np.maximum(age - 21, 0)).astype(np.int16)
    return _Job(
        employment=employment,
        employed=employed,
        self_employed=self_employed,
        employer=employer,
        tier=tier,
        rank=rank,
        post=post,
        title=title.astype(np.int8),
        licence=licence,
        education=education,
        years_with_employer=np.where(employed, years_job, -1).astype(np.int16),
        years_in_business=np.where(self_employed, years_business, -1).astype(np.int16),
    )


def _draw_client_kind(draws: _Draws, job: _Job) -> np.ndarray:
    is_trader = draws.kind == TRADER
    client_kind = np.where(job.self_employed & draws.chance(0.55), 1, 0).astype(np.int8)
    client_kind[is_trader & draws.chance(0.06)] = 2
    client_kind[is_trader & draws.chance(0.01)] = 3
    client_kind[draws.chance(0.002)] = 4
    client_kind[draws.chance(0.001)] = 5
    return client_kind


def _draw_record(draws: _Draws) -> np.ndarray:
    """Draw the customer's own credit record: 0 for clean to 3 for the worst."""
    record = np.zeros(draws.n, dtype=np.int8)
    u = draws.rng.random(draws.n)
    record[u < 0.03 + 0.07 * draws.weak] = 1
    record[u < 0.004 + 0.020 * draws.weak] = 2
    record[u < 0.001 + 0.004 * draws.weak] = 3
    return record


def _draw_changing(draws: _Draws, income: np.ndarray, record: np.ndarray) -> Columns:
    standing = draws.standing
    return {
        "grade": draws.drop(grade_of(standing), 0.012),
        "score": np.where(draws.chance(0.012), -1, score_of(standing)).astype(np.int16),
        "income": np.where(draws.chance(0.02), -1, income),
        "record": record,
        "arrears_anywhere": draws.chance(0.004 + 0.012 * draws.weak),
    }


def _draw_home(draws: _Draws, job: _Job, age: np.ndarray) -> Columns:
    share = np.clip(0.25 + 0.18 * draws.standing + (age - 30) / 80, 0.03, 0.93)
    owns_home = draws.chance(share)
    years = np.minimum(draws.rng.exponential(16, draws.n), age).astype(np.int16)
    return {
        "years_resident_here": draws.drop(years, 0.01),
        "has_fixed_home_here": owns_home | draws.chance(0.72),
        "has_fixed_job_here": (job.employed | job.self_employed) & draws.chance(0.93),
        "owns_home_here": owns_home,
    }


def _draw_work(draws: _Draws, job: _Job) -> Columns:
    payroll_list_share = np.where(draws.good, 0.90, 0.66)
    return {
        "rank": job.rank,
        "is_on_payroll_list": job.employed & draws.chance(payroll_list_share),
        "years_with_employer": job.years_with_employer,
    }


def _draw_money(draws: _Draws, job: _Job, income: np.ndarray, has_spouse: np.ndarray) -> Columns:
    """Draw monthly amounts and assets in fen; `income` in fen."""
    median_income = _INCOME[draws.kind]
    wealth = median_income * 45 * np.exp(0.4 * draws.standing)

    def amount(is_available: np.ndarray, median: np.ndarray | float, spread: float, other: int):
        return np.where(is_available, draws.money(median, spread), other)

    spouse = amount(has_spouse & draws.chance(0.85), median_income * 0.8, 0.45, -1)
    fund = np.where(job.employed & draws.chance(0.85), income // 100 * 12, -1) // 100 * 100
    return {
        "spouse_monthly_income": spouse,
        "provident_fund_monthly": fund,
        "other_debt_monthly": amount(draws.chance(0.3 + 0.12 * draws.weak), 1_400, 0.6, 0),
        "family_assets": amount(draws.chance(0.9), wealth, 0.7, -1),
    }


def _draw_business(draws: _Draws, job: _Job) -> Columns:
    is_stretched = draws.kind == STRETCHED
    owner = job.self_employed
    columns = {
        "employer_cash_positive_2y": job.employed & draws.chance(0.78),
        "employer_owners_clean": job.employed & draws.chance(0.95),
        "years_in_business": job.years_in_business,
    }
    has_capital = owner & draws.chance(0.8)
    capital = draws.money(520_000, 0.9) // 100_000 * 100_000
    return columns | {
        "registered_capital": np.where(has_capital, capital, -1),
        "has_own_premises_here": owner & draws.chance(0.42),
        "business_positive_12m": owner & draws.chance(np.where(is_stretched, 0.30, 0.74)),
        "business_positive_6m": owner & draws.chance(np.where(is_stretched, 0.42, 0.82)),
        "credit_enquiries_3m": draws.rng.poisson(_ENQUIRIES[draws.kind]).astype(np.int16),
    }
