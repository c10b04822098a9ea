"""The delivered tables of the demo bank as pandas frames, with balances worked out apart from the
product's marts.
"""

from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from data.demo.delivery import CONTRACT

AS_OF = datetime.fromisoformat("2026-10-31")
YEAR_BEFORE = datetime.fromisoformat("2025-10-31")
SEED = 7
DELIVERED_TABLES = [name for name in CONTRACT if name != "loan_snapshot"]


def read_table(folder: Path, table: str) -> pd.DataFrame:
    """Return a delivered table; money as whole fen."""
    arrow = pq.read_table(folder / f"{table}.parquet")
    frame = pd.DataFrame(index=range(arrow.num_rows))
    for name in arrow.column_names:
        kind = CONTRACT[table]["column"][name]["type"]
        column = arrow.column(name)
        if kind == "money":
            frame[name] = (column.cast("float64").to_pandas() * 100).round()
        elif kind in ("date", "month", "time"):
            frame[name] = pd.to_datetime(column.to_pandas())
        else:
            frame[name] = column.to_pandas()
    return frame


class DeliveredBank:
    """Delivered tables as attributes, read at first use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.positions: dict[datetime, pd.DataFrame] = {}

    def __getattr__(self, table: str) -> pd.DataFrame:
        frame = read_table(self.folder, table)
        setattr(self, table, frame)
        return frame

    def loan_positions(self, at: datetime) -> pd.DataFrame:
        """Return the loans open at a month end: balance (fen) and days past due, payments first in
        first out.
        """
        if at not in self.positions:
            self.positions[at] = self._loan_positions(at)
        return self.positions[at]

    def _loan_positions(self, at: datetime) -> pd.DataFrame:
        loans = self.loan[self.loan.disbursed_on <= at]
        for ended in ("closed_on", "written_off_on", "sold_on"):
            loans = loans[loans[ended].isna() | (loans[ended] > at)]
        loans = loans.set_index("loan_id")
        payments = self.payment[self.payment.paid_at < at + pd.Timedelta(days=1)]
        prepaid = payments[payments.kind == "prepayment"].groupby("loan_id").amount.sum()
        paid = payments[payments.kind != "prepayment"].groupby("loan_id").amount.sum()
        plan = self.instalment[self.instalment.loan_id.isin(loans.index)].sort_values(
            ["loan_id", "number"]
        )
        due = plan.principal + plan.interest
        due_to_date = due.groupby(plan.loan_id).cumsum()
        paid_to_date = plan.loan_id.map(paid).fillna(0)
        covered = (paid_to_date - (due_to_date - due) - plan.interest).clip(lower=0)
        principal_paid = np.minimum(covered, plan.principal).groupby(plan.loan_id).sum()
        oldest = (
            plan[(due_to_date > paid_to_date) & (plan.due_on <= at)].groupby("loan_id").due_on.min()
        )
        loans["balance"] = (
            loans.principal
            - principal_paid.reindex(loans.index).fillna(0)
            - prepaid.reindex(loans.index).fillna(0)
        )
        loans["days_past_due"] = (at - oldest.reindex(loans.index)).dt.days.fillna(0)
        return loans

    def grades(self, at: datetime) -> pd.Series:
        """Return the credit grade by customer in force at `at`."""
        versions = self.customer[self.customer.valid_from <= at].sort_values("valid_from")
        return versions.groupby("customer_id").credit_grade.last()

    def settlements(self) -> pd.DataFrame:
        """Return last loans settled with no other loan open: customer, closed_on, again (within 90
        days).
        """
        loans = self.loan.assign(
            ended=self.loan[["closed_on", "written_off_on", "sold_on"]]
            .min(axis=1)
            .fillna(pd.Timestamp("2100-01-01"))
        )
        settled = loans.loc[loans.closed_on.notna(), ["customer_id", "closed_on", "branch_id"]]
        pairs = settled.merge(
            loans[["customer_id", "disbursed_on", "ended", "rollover_of"]], on="customer_id"
        )
        pairs["open"] = (pairs.disbursed_on <= pairs.closed_on) & (pairs.ended > pairs.closed_on)
        days = (pairs.disbursed_on - pairs.closed_on).dt.days
        pairs["again"] = days.between(1, 90) & pairs.rollover_of.isna()
        settlements = (
            pairs.groupby(["customer_id", "closed_on", "branch_id"])[["open", "again"]]
            .any()
            .reset_index()
        )
        return settlements[~settlements["open"]]
