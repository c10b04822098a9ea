"""What a loan's class and the assumptions make it cost in a month, and the product families held.

Columns have shape (loans,), one value per slot of `ActiveLoans`; amounts are in fen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analytics.marts.columns import MaskedArray, money, number
from analytics.marts.loan_allocation import Columns

# 5e-10 CNY lies between the error of a double and the smallest step of a product of an amount, a
# rate and a class's share.
_ROUNDING = 5e-10
_FEN_PER_YUAN = 100.0
_RATE_SCALE = 1e6
_MONTHS_PER_YEAR = 12


@dataclass(frozen=True)
class ClassValues:
    """What each class implies, shape (classes,) by class number; nan where it implies nothing.

    Parameters
    ----------
    npl
        1 for a non-performing class, 0 for another.
    pd
        Probability of default within a year, share of one.
    provision
        Provision rate, general and specific together, share of one.
    """

    npl: np.ndarray
    pd: np.ndarray
    provision: np.ndarray


def costs(
    loans: Columns,
    classes: np.ndarray,
    values: ClassValues,
    is_secured: np.ndarray,
    rates: Mapping[str, float],
) -> dict[str, MaskedArray]:
    """Return provision, funding cost, expected loss and operating cost of the month, and is_npl.

    Provision: 银行贷款损失准备计提指引 (2002), the general rate and the class's own; a regulatory
    guide, not expected credit loss. Funding cost: balance × funding rate / 12. Expected loss of the
    month: PD × LGD × balance / 12. Half a fen is rounded up.

    Parameters
    ----------
    classes
        Class number of each loan, shape (loans,).
    values
        What the classes imply.
    is_secured
        Which loans are mortgaged or pledged, shape (loans,).
    rates
        The assumptions (data/assumptions.toml): funding_rate, lgd_secured and lgd_unsecured as
        shares of one, operating_cost_loan in CNY per loan and month.
    """
    balance = loans["balance"].values / _FEN_PER_YUAN
    has_balance = loans["balance"].values > 0
    loan_rate = loans["funding_rate"]
    funding_rate = np.where(
        loan_rate.is_valid, loan_rate.values / _RATE_SCALE, rates["funding_rate"]
    )
    loss_share = np.where(is_secured, rates["lgd_secured"], rates["lgd_unsecured"])
    npl = values.npl[classes]
    pd = values.pd[classes]
    provision_rate = values.provision[classes]
    provision = round_to_fen(balance * np.nan_to_num(provision_rate))
    expected_loss = round_to_fen(balance * np.nan_to_num(pd) * loss_share / _MONTHS_PER_YEAR)
    operating_cost = round_to_fen(np.float64(rates["operating_cost_loan"]))
    return {
        "is_npl": number(npl == 1).null_unless(has_balance & ~np.isnan(npl)),
        "provision": money(provision).null_unless(~np.isnan(provision_rate)),
        "funding_cost": money(round_to_fen(balance * funding_rate / _MONTHS_PER_YEAR)),
        "expected_loss": money(expected_loss).null_unless(~np.isnan(pd)),
        "operating_cost": money(np.where(has_balance, operating_cost, 0)),
    }


def product_bits(loans: Columns, families: np.ndarray) -> MaskedArray:
    """Return 1 << family for each loan with a balance, 0 for others.

    Parameters
    ----------
    families
        Number of the product family by product_key, 0 for an unknown product.
    """
    bits = np.int32(1) << families[loans["product_key"].values].astype(np.int32)
    return number(np.where(loans["balance"].values > 0, bits, np.int32(0)))


def round_to_fen(amounts: np.ndarray | np.float64) -> np.ndarray:
    """Convert CNY to whole fen; half a fen is rounded up."""
    fen = (amounts + _ROUNDING) * _FEN_PER_YUAN
    whole = np.floor(fen)
    return (whole + (fen - whole >= 0.5)).astype(np.int64)
