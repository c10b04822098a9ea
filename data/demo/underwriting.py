"""Who may have a consumer loan on credit: a bank that follows its rules of service, but for some exceptions.

Classes one to three of data/rulebooks/consumer_five, and class four with its wage account pledged, roughly: the demo
bank's own officers look at the same attributes. Everybody else pledges something, or mortgages the home that is
renovated. Four loans in a thousand of theirs are exceptions, through partner platforms twenty: that is what the
compliance list of data/rulebooks/service.toml finds, beside those who have left their class since.
"""

import numpy as np

from data.demo.attributes import classes
from data.demo.delivery import NEVER

EXCEPTIONS, PARTNER_EXCEPTIONS = 4, 20
"""Of a thousand loans."""


def on_credit(people, who: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Which of these customers may have a consumer loan on credit on that day."""
    plain = {name: values[who] for name, values in people.columns.items()}
    codes = {name: values[who] for name, values in people.codes.items()}
    upper, fourth = classes(plain, codes)
    age = (day - plain["birth_on"]) / 365.25
    paid = (
        (plain["payroll_since"] != NEVER)
        & (plain["payroll_since"] + 731 <= day)
        & plain["wage_account_pledged"]
    )
    return (upper & (age >= 25) & (age < 55)) | (fourth & paid & (age >= 22) & (age < 60))


def excepted(who: np.ndarray, month: int, by_partner: np.ndarray) -> np.ndarray:
    """Loans granted on credit against the rule. By number, not drawn: all else is as it was without it."""
    lot = (who.astype(np.int64) * 48_271 + month * 69_621) % 1_000_003 % 1_000
    return lot < np.where(by_partner, PARTNER_EXCEPTIONS, EXCEPTIONS)
