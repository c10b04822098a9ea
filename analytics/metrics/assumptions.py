"""The assumptions behind costs and expected loss: the edition of data/assumptions.toml in force."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

from data.declarations import Declaration, convert, read_toml

ASSUMPTIONS = Path(__file__).parents[2] / "data" / "assumptions.toml"


class Assumptions(Declaration, frozen=True):
    """One edition of the assumptions.

    Attributes
    ----------
    deposit_margin, funding_rate
        Shares of one per year.
    operating_cost_loan, operating_cost_deposit
        CNY per month, per loan with a balance and per customer with deposits.
    lgd_secured, lgd_unsecured
        Loss given default, shares of one.
    pd
        Class of `loan_five` → probability of default within twelve months.
    """

    effective_on: date
    approved_by: Mapping[str, str]
    deposit_margin: float
    funding_rate: float
    operating_cost_loan: float
    operating_cost_deposit: float
    lgd_secured: float
    lgd_unsecured: float
    pd: Mapping[str, float]

    def parameters(self) -> dict[str, float]:
        """Return the single numbers by name, as the SQL of the marts binds them."""
        return {
            "deposit_margin": self.deposit_margin,
            "funding_rate": self.funding_rate,
            "operating_cost_loan": self.operating_cost_loan,
            "operating_cost_deposit": self.operating_cost_deposit,
            "lgd_secured": self.lgd_secured,
            "lgd_unsecured": self.lgd_unsecured,
        }


class _File(Declaration, frozen=True):
    edition: tuple[Assumptions, ...]


@cache
def read_assumptions(path: Path = ASSUMPTIONS) -> tuple[Assumptions, ...]:
    """Return every edition, oldest first.

    Raises
    ------
    BadDeclaration
        With the path of the entry, for example `edition[0].pd`.
    """
    editions = convert(read_toml(path), _File, path.name).edition
    return tuple(sorted(editions, key=lambda edition: edition.effective_on))


def assumptions(as_of: date) -> Assumptions:
    """Return the edition in force at a date: the newest that took effect by then."""
    return [edition for edition in read_assumptions() if edition.effective_on <= as_of][-1]
