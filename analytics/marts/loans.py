"""Loans of a month: what fell due and what was received → state, classes and costs of each loan."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np

from analytics.marts.class_sql import class_number
from analytics.marts.columns import (
    ActiveLoans,
    MaskedArray,
    nulls,
    number,
    read_columns,
    to_arrow_table,
)
from analytics.marts.context import (
    BuildContext,
    fetch_value,
    run_step,
    step_table,
    table_columns,
)
from analytics.marts.customer_state import shift_history
from analytics.marts.loan_allocation import (
    MonthDays,
    arrears,
    assessment_date,
    first_payment_assessed,
    has_unpaid_due,
    open_instalments,
    running_totals,
)
from analytics.marts.loan_costs import ClassValues, costs, product_bits
from analytics.marts.loan_reinstatement import ReinstatedLoans, store_opening_interest
from analytics.marts.loan_settlement import (
    create_settlements,
    dates_with_settlement,
    derived_settlements,
    loans_to_examine,
    settle,
)
from analytics.marts.loan_state import state_from_events, state_from_snapshots
from analytics.marts.row_layout import sql_list
from analytics.metrics.assumptions import assumptions
from analytics.rulebooks.schemes import NEW, class_codes, in_force
from analytics.sql.templates import fragment
from data.editions.part_writer import BuildSession

_SECURED = ("mortgaged", "pledged")
# The columns that loan_dates.sql reads.
_DATE_COLUMNS = ("days_past_due", "restructured_on", "written_off_on")
# Columns that a snapshot does not contain: null in the rows, even if an earlier month had them.
_NOT_IN_SNAPSHOTS = {"count_instalments_late": np.int16, "is_first_payment_missed": bool}

Parameters = Mapping[str, Any]


class LoanMartBuilder:
    """Computes the loans of one build, month after month.

    Call `initialise` first, then `compute_month` for each month in order, `export_state` last. The
    results of the last two months stay available: customers and rows may be made of one month while
    the next is computed.
    """

    def __init__(self, session: BuildSession, context: BuildContext) -> None:
        self.session = session
        self.context = context
        self.state_columns: list[str] = []
        self.loans = ActiveLoans(0, {"loan_key": number(np.zeros(0, np.int32))})
        self.surviving = np.zeros(0, np.intp)
        self.open_instalments: dict[str, MaskedArray] = {}
        self.families = np.zeros(0, np.int8)
        self._months: dict[date, dict[str, MaskedArray]] = {}
        self.reinstated: ReinstatedLoans
        self.derived_before = np.zeros(0, np.int32)

    def initialise(self) -> None:
        """Read the state before the first month, and create loan_life and settlement."""
        session = self.session
        context = self.context
        run_step(
            session,
            "loan_state",
            {},
            **{code.name: code.type for code in context.layout.loan_codes},
            loan_histories=sql_list([f"history_{s.id} ubigint" for s in context.loan_boards]),
        )
        self.state_columns = table_columns(session, "loan_previous")
        if not context.is_first_load:
            context.restore_state(session, "loan_previous", "loan_state", self.state_columns)
            instalment_columns = table_columns(session, "instalment_previous")
            context.restore_state(
                session, "instalment_previous", "instalment_open", instalment_columns
            )
        self.reinstated = ReinstatedLoans(session, context)
        opening = step_table(
            session,
            "loan_opening_state",
            context.parameters(context.months[0]),
            state_columns=", ".join(self.state_columns),
            histories=self.reinstated.histories(),
            instalments=self.reinstated.rows("instalment", is_first=True),
        )
        session.run("drop table loan_merged; delete from loan_previous", "loan_previous")
        max_key = fetch_value(
            session, "select coalesce(max(loan_key), 0) from loan_number", "loan_number"
        )
        self.loans = ActiveLoans(max_key, read_columns(opening))
        self.surviving = np.arange(len(self.loans))
        self.derived_before = derived_settlements(self.loans.columns)
        create_settlements(session, self.loans.columns)
        # The instalments of a loan must be adjacent; a table has no order of its own.
        ordered = "select * from instalment_previous order by loan_key, due_on, number"
        self.open_instalments = read_columns(session.table(ordered, "instalment_previous"))
        self.families = _product_families(session)

    def compute_month(self, month: date) -> None:
        """Compute the loans of a month; months come in order."""
        parameters = self.context.parameters(month)
        days = MonthDays.from_parameters(parameters)
        compute = self._from_events if self.context.has_events else self._from_snapshots
        # First, because it replaces the columns when loans are added.
        now = compute(parameters, days)
        loans = self.loans.columns | now
        classes = self._classes(month, loans)
        for scheme in self.context.loan_boards:
            name = f"history_{scheme.id}"
            last = number(classes[scheme.id], loans["has_row"].values)
            loans[name] = shift_history(loans[name], last, class_codes(scheme).index(NEW))
        self.loans.columns = {name: loans[name] for name in self.state_columns}
        loans |= costs(
            loans,
            classes[self.context.loan_five.id],
            self._class_values(month),
            _is_secured(loans["guarantee"]),
            assumptions(month).parameters(),
        )
        loans["product_bit"] = product_bits(loans, self.families)
        loans |= {f"class_{name}": number(numbers) for name, numbers in classes.items()}
        if not self.context.has_events:
            loans |= {
                name: nulls(len(self.loans), dtype) for name, dtype in _NOT_IN_SNAPSHOTS.items()
            }
        integers = self.context.layout.pack_loans(loans, classes)
        loans |= {name: number(values) for name, values in integers.items()}
        self._months = dict(list(self._months.items())[-1:]) | {month: loans}

    def month_state(self, month: date) -> dict[str, MaskedArray]:
        """Return the loans of one of the last two months, shape (loans,).

        The columns are state, costs, class numbers (class_…) and the packed columns of the rows.
        """
        return self._months[month]

    def count_new_derived_settlements(self) -> int:
        """Return how many loans have settled since the load began, though no date says so."""
        derived = derived_settlements(self.loans.columns)
        return len(np.setdiff1d(derived, self.derived_before))

    def export_state(self) -> None:
        """Store the state after the last month, from which the next load continues."""
        state = {name: column.take(self.surviving) for name, column in self.loans.columns.items()}
        self.session.register(to_arrow_table(state), "loan_to_store")
        self.session.register(to_arrow_table(self.open_instalments), "instalment_to_store")
        run_step(
            self.session,
            "store_loan_state",
            self.context.parameters(self.context.months[-1]),
            state_columns=", ".join(self.state_columns),
        )

    def _from_events(self, parameters: Parameters, days: MonthDays) -> dict[str, MaskedArray]:
        """Return the state at the month end from schedules and payments."""
        originations = step_table(
            self.session,
            "loan_originations",
            parameters,
            state_columns=", ".join(self.state_columns),
        )
        self.loans.replace(self.surviving, read_columns(originations))
        loans = self.loans.columns
        delivered = {
            table: self.reinstated.rows(table, is_first=parameters["is_first"])
            for table in ("instalment", "payment")
        }
        due = self._rows("instalments_due", parameters, delivered=delivered["instalment"])
        payments = self._rows("payments_received", parameters, delivered=delivered["payment"])
        now = dates_with_settlement(loans, days) | running_totals(loans, due, payments, days)
        now |= self._settle(parameters, payments, now)
        now |= arrears(self._allocate(parameters, due, now, days), now, days)
        assessments = self._assess_first_payments(parameters, now, days)
        now |= state_from_events(loans, now, assessments, days)
        if days.is_first_of_records:
            store_opening_interest(self.session, loans | now, days.previous)
        self.surviving = np.flatnonzero(now["needs_slot"].values)
        return now

    def _from_snapshots(self, parameters: Parameters, days: MonthDays) -> dict[str, MaskedArray]:
        """Return the state at the month end from snapshots; all loans keep their slots."""
        snapshots = read_columns(step_table(self.session, "loan_snapshots", parameters))
        rows = {name: column.values for name, column in snapshots.items()}
        rows["has_interest"] = snapshots["interest_received"].is_valid
        rows = self.loans.align(rows.pop("loan_key"), **rows)
        return state_from_snapshots(self.loans.columns, rows, days)

    def _rows(
        self, step: str, parameters: Parameters, **placeholders: str
    ) -> dict[str, np.ndarray]:
        """Run a step with a column loan_key and return its rows with slots."""
        columns = read_columns(step_table(self.session, step, parameters, **placeholders))
        rows = {name: column.values for name, column in columns.items()}
        return self.loans.align(rows.pop("loan_key"), **rows)

    def _rows_for(
        self, step: str, parameters: Parameters, selection: Mapping[str, MaskedArray]
    ) -> dict[str, np.ndarray]:
        """Run a step that reads the table loan_selection, filled with `selection`."""
        self.session.register(to_arrow_table(selection), "loan_selection")
        try:
            return self._rows(step, parameters)
        finally:
            self.session.unregister("loan_selection")

    def _allocate(
        self,
        parameters: Parameters,
        due: Mapping[str, np.ndarray],
        now: Mapping[str, MaskedArray],
        days: MonthDays,
    ) -> dict[str, np.ndarray]:
        """Allocate payments over the schedules and return the instalments not fully paid."""
        is_unpaid = has_unpaid_due(now, days)
        restart_allocation = now["needs_reallocation"].is_true
        continues = is_unpaid & ~restart_allocation
        restart_slots = np.flatnonzero(is_unpaid & restart_allocation)
        before = {name: column.values for name, column in self.open_instalments.items()}
        before = _rows_of(self.loans.align(before.pop("loan_key"), **before), continues)
        due = _rows_of(due, continues)
        if len(restart_slots):
            selection = {"loan_key": self.loans.columns["loan_key"].take(restart_slots)}
            whole = self._rows_for("instalments_for_reallocation", parameters, selection)
            due = {name: np.concatenate([values, whole[name]]) for name, values in due.items()}
        rows = open_instalments(before, due, self.loans.columns, now, restart_allocation)
        rows["loan_key"] = self.loans.keys[rows["slot"]]
        self.open_instalments = {
            name: MaskedArray(column.type, rows[name])
            for name, column in self.open_instalments.items()
        }
        return rows

    def _settle(
        self,
        parameters: Parameters,
        payments: Mapping[str, np.ndarray],
        now: Mapping[str, MaskedArray],
    ) -> dict[str, MaskedArray]:
        """Derive the settlements of loans without a closing date, and take reversed ones back."""
        loans = self.loans.columns
        slots = loans_to_examine(loans, now, payments)
        settlements = {"slot": slots[:0], "settled_on": slots[:0]}
        if len(slots):
            selection = {name: loans[name].take(slots) for name in ("loan_key", "principal")}
            settlements = self._rows_for("settled_schedules", parameters, selection)
        return settle(loans, now, slots, settlements)

    def _assess_first_payments(
        self, parameters: Parameters, now: Mapping[str, MaskedArray], days: MonthDays
    ) -> dict[str, np.ndarray]:
        """Return slot and is_missed of the first payments assessed in this month."""
        slots = first_payment_assessed(now, days)
        columns = {
            "loan_key": self.loans.columns["loan_key"],
            "disbursed_on": self.loans.columns["disbursed_on"],
            "assessed_on": assessment_date(now),
            "closed_on": now["closed_on"],
        }
        selection = {name: column.take(slots) for name, column in columns.items()}
        return self._rows_for("first_payment", parameters, selection)

    def _classes(self, month: date, loans: Mapping[str, MaskedArray]) -> dict[str, np.ndarray]:
        """Return the class number of each loan by scheme, shape (loans,)."""
        schemes = self.context.loan_schemes
        books = [in_force(scheme, month) for scheme in schemes]
        facts = {fact for book in books if book for fact in book.facts} & loans.keys()
        names = {"loan_key", *_DATE_COLUMNS, *facts}
        self.session.register(to_arrow_table({name: loans[name] for name in names}), "loan_fact")
        table = step_table(
            self.session,
            "loan_class",
            self.context.parameters(month),
            dates=fragment("loan_dates"),
            graded=sql_list([f"{class_number(s, month)} as class_{s.id}" for s in schemes]),
        )
        self.session.unregister("loan_fact")
        rows = {name: column.values for name, column in read_columns(table).items()}
        slots = self.loans.align(rows["loan_key"])["slot"]
        classes = {}
        for scheme in schemes:
            classes[scheme.id] = np.zeros(len(slots), np.uint8)
            classes[scheme.id][slots] = rows[f"class_{scheme.id}"]
        return classes

    def _class_values(self, month: date) -> ClassValues:
        """Return what the classes of loan_five imply in a month."""
        scheme = self.context.loan_five
        codes = class_codes(scheme)
        book = in_force(scheme, month)
        default_rates = assumptions(month).pd
        npl = np.full(len(codes), np.nan)
        pd = np.full(len(codes), np.nan)
        provision = np.full(len(codes), np.nan)
        if book is None:
            return ClassValues(npl, pd, provision)
        for entry in book.classes:
            code = codes.index(entry.code)
            npl[code] = book.attribute(entry.code, "is_npl")
            pd[code] = default_rates.get(entry.code, 0.0)
            general_rate = book.parameters["general_provision_rate"].value
            provision[code] = book.attribute(entry.code, "provision_rate") + general_rate
        return ClassValues(npl, pd, provision)


def _product_families(session: BuildSession) -> np.ndarray:
    """Return the number of the product family by product_key, 0 for an unknown product."""
    sql = "select product_key, enum_code(family)::tinyint as family from product"
    products = read_columns(session.table(sql, "product"))
    families = np.zeros(np.iinfo(np.int16).max + 1, np.int8)
    families[products["product_key"].values] = products["family"].values
    return families


def _is_secured(guarantee: MaskedArray) -> np.ndarray:
    """Return which loans are mortgaged or pledged, shape (loans,)."""
    # There are no categories when no loan was delivered with a guarantee.
    secured = np.array([category in _SECURED for category in guarantee.categories] or [False])
    return guarantee.is_valid & secured[guarantee.values]


def _rows_of(rows: Mapping[str, np.ndarray], condition: np.ndarray) -> dict[str, np.ndarray]:
    """Return the rows of the loans for which `condition`, shape (loans,), holds."""
    is_member = condition[rows["slot"]]
    return {name: values[is_member] for name, values in rows.items()}
