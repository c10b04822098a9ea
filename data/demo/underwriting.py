"""Who may have a consumer loan on credit: a bank that follows its rules of service, with a few
exceptions.

Roughly classes one to three of data/rulebooks/consumer_five, and class four with its wage account
pledged: the demo bank's own officers look at the same attributes. All other customers pledge
something, or mortgage the home that is renovated. Four in a thousand of their loans are exceptions,
twenty in a thousand through partner platforms: these are what the compliance list of
data/rulebooks/service.toml contains, beside customers who have left their class since.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from data.demo.delivery import NEVER, code_values

if TYPE_CHECKING:
    from data.demo.people import People

EXCEPTIONS = 4
"""Exceptions in a thousand loans of the bank's own channels."""
PARTNER_EXCEPTIONS = 20
"""Exceptions in a thousand loans of the partner channel."""

Columns = Mapping[str, np.ndarray]


def is_eligible_for_credit(people: "People", who: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Return which of the customers `who` may have a consumer loan on credit on `day`; shape
    (len(who),).
    """
    plain = {name: values[who] for name, values in people.columns.items()}
    codes = {name: values[who] for name, values in people.codes.items()}
    upper, fourth = consumer_classes(plain, codes)
    age = (day - plain["birth_on"]) / 365.25
    has_payroll = (
        (plain["payroll_since"] != NEVER)
        & (plain["payroll_since"] + 731 <= day)
        & plain["wage_account_pledged"]
    )
    return (upper & (age >= 25) & (age < 55)) | (fourth & has_payroll & (age >= 22) & (age < 60))


def is_exception(who: np.ndarray, month: int, by_partner: np.ndarray) -> np.ndarray:
    """Return which loans are granted on credit against the rule.

    Computed from the customer number, not drawn, so that the other random draws do not depend on
    it.
    """
    lot = (who.astype(np.int64) * 48_271 + month * 69_621) % 1_000_003 % 1_000
    return lot < np.where(by_partner, PARTNER_EXCEPTIONS, EXCEPTIONS)


def consumer_classes(plain: Columns, codes: Columns) -> tuple[np.ndarray, np.ndarray]:
    """Return who meets class one to three of scheme consumer_five, and who meets class four.

    An approximation that leaves out age, payroll and the attributes that change.
    """
    on_payroll_list = plain["is_on_payroll_list"]
    good = plain["has_stable_income"] & _at_least(codes, "education", "college")
    listed_employer = on_payroll_list & _is_any(
        codes,
        "employer_kind",
        *("state_organ", "public_institution", "public_school", "public_hospital", "hospital_2a"),
        *("known_private_school", "premium_enterprise", "state_firm", "listed_firm"),
    )
    qualified = (
        (_at_least(codes, "education", "bachelor") & (plain["years_with_employer"] >= 2))
        | _at_least(codes, "education", "master")
        | _at_least(codes, "licence", "cpa")
    )
    firm = _is_any(codes, "employer_kind", "large_mid_firm") & on_payroll_list
    firm &= plain["employer_cash_positive_2y"] & plain["employer_owners_clean"]
    upper = _has_senior_position(plain, codes) | (listed_employer & qualified)
    is_citizen = _is_any(codes, "citizenship", "cn")
    return good & is_citizen & upper, good & (listed_employer | firm)


def _has_senior_position(plain: Columns, codes: Columns) -> np.ndarray:
    on_payroll_list = plain["is_on_payroll_list"]
    has_title = _at_least(codes, "professional_title", "middle")
    official = _is_any(codes, "employer_kind", "state_organ", "military", "public_institution")
    teacher = _is_any(codes, "employer_kind", "public_school", "known_private_school")
    doctor = _is_any(codes, "employer_kind", "public_hospital", "hospital_2a")
    enterprise = _is_any(codes, "employer_kind", "premium_enterprise")
    upper_tier = _is_any(codes, "employer_tier", "headquarters", "province")
    return (
        (official & (plain["rank"] >= 1))
        | (teacher & on_payroll_list & has_title)
        | (doctor & has_title)
        | (enterprise & upper_tier & on_payroll_list & ~_is_any(codes, "post", "service"))
        | (enterprise & ~upper_tier & _is_any(codes, "post", "mid_manager", "engineer"))
    )


def _is_any(codes: Columns, name: str, *values: str) -> np.ndarray:
    positions = code_values("customer", name)
    return np.isin(codes[name], [positions.index(value) for value in values])


def _at_least(codes: Columns, name: str, value: str) -> np.ndarray:
    return codes[name] >= code_values("customer", name).index(value)
