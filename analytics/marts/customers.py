"""Customers of a month: attributes, loans, deposits, fees and signals → rows of customer_month."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import pairwise

import numpy as np
import pyarrow.compute as pc

from analytics.marts.class_sql import class_code, class_number
from analytics.marts.columns import (
    CustomerIndex,
    MaskedArray,
    day_number,
    money,
    nulls,
    number,
    to_arrow_table,
)
from analytics.marts.context import (
    BuildContext,
    fetch_value,
    run_step,
    step_table,
    table_columns,
)
from analytics.marts.customer_grades import CustomerGrader, calendar_thresholds
from analytics.marts.customer_state import (
    DelinquencyWindow,
    aggregate_loans,
    borrowing_history,
    count_services,
    is_new_borrower,
    monthly_flows,
    months_since_income,
    percentile,
    shift_history,
    twelve_month_sums,
)
from analytics.marts.loan_settlement import update_settlements
from analytics.marts.row_layout import sql_list
from analytics.rulebooks import Scheme
from analytics.rulebooks.schemes import NEW, NONE, class_codes, in_force
from analytics.sql.templates import fragment
from data.contract.schema import OTHER, read_contract
from data.contract.tables import sql_literal
from data.dates import month_end
from data.editions.part_writer import BuildSession
from data.errors import UserError

_BASE_ATTRIBUTES = (
    "customer_key",
    "valid_from",
    "branch_key",
    "manager_key",
    "account_type",
    "birth_on",
    "payroll_since",
    "monthly_income",
    "spouse_monthly_income",
)
# Facts that the fragment customer_attributes computes from columns of the contract.
_COMPUTED_FROM_ATTRIBUTES = ("age", "years_payroll", "family_monthly_income")
_MONTHS_SINCE_INCOME = "months_since_income_packed"
_SIGNAL_ALIAS = re.compile(r" as (has_signal_\w+)")
# A build of more months reads the customers so often that a copy in memory is faster.
_MAX_MONTHS_WITHOUT_COPY = 3


class CustomerMartBuilder:
    """Computes the customers of one build, month after month.

    Call `initialise` first, then `compute_month` for each month in order, `export_state` last.
    """

    def __init__(self, session: BuildSession, context: BuildContext) -> None:
        self.session = session
        self.context = context
        contract_columns = read_contract().table("customer").columns
        facts = {
            scheme.id: {fact for book in context.rulebooks_in_force(scheme) for fact in book.facts}
            for scheme in context.customer_schemes
        }
        from_attributes = {*contract_columns, *_COMPUTED_FROM_ATTRIBUTES}
        # Schemes whose classes change only when an attribute does, and the others.
        self.attribute_only = [
            s for s in context.customer_schemes if facts[s.id] <= from_attributes
        ]
        self.behavioural = [s for s in context.customer_schemes if s not in self.attribute_only]
        self.signals = _SIGNAL_ALIAS.findall(fragment("customer_signals"))
        self.attributes = [*_BASE_ATTRIBUTES, *(c.name for c in context.layout.customer_codes)]
        behavioural_facts = {fact for s in self.behavioural for fact in facts[s.id]}
        self.attributes += sorted(
            fact
            for fact in behavioural_facts
            if fact in contract_columns and fact not in self.attributes
        )
        attribute_only_facts = sorted(
            fact for s in self.attribute_only for fact in facts[s.id] if fact in contract_columns
        )
        self.version_columns = list(dict.fromkeys([*self.attributes, *attribute_only_facts]))
        # Everything else that the next load needs is in the rows of the last month.
        self.state_columns = [
            "customer_key",
            _MONTHS_SINCE_INCOME,
            *(f"history_{scheme.id}" for scheme in context.boards),
        ]
        self.delinquency = DelinquencyWindow()
        self.grader = CustomerGrader(session, context, self.behavioural, self.signals)
        self.index = CustomerIndex(0)
        self.facts: dict[str, MaskedArray] = {}
        self.state: dict[str, MaskedArray] = {}

    def initialise(self) -> None:
        """Restore the state before the first month, and find all changes of attributes.

        Raises
        ------
        UserError
            The last edition was built without a state from which a load could continue.
        """
        has_copy = len(self.context.months) > _MAX_MONTHS_WITHOUT_COPY
        versions = " union all by name ".join(
            f"select {', '.join(self.version_columns)}, "
            f"{str(catalog == 'part').lower()} as is_delivered from {catalog}.history.customer"
            for catalog in (*self.context.older, "part")
        )
        self.session.run(
            f"create or replace temp {'table' if has_copy else 'view'} customer_version "
            f"as {versions}",
            "customer_version",
        )
        max_key = fetch_value(
            self.session,
            "select coalesce(max(customer_key), 0) from customer_version",
            "customer_version",
        )
        self.index = CustomerIndex(max_key)
        if not self.context.is_first_load:
            self._restore_state()
        self._find_attribute_changes()

    def _restore_state(self) -> None:
        """Take over state, attributes, classes and delinquency as the last load left them."""
        if not table_columns(self.session, "customer_state", self.context.older[-1]):
            raise UserError("edition_lacks_build_state")
        before = month_end(self.context.months[0], -1)
        state_query = self.context.previous_state_query(
            self.session, "customer_state", self.state_columns
        )
        attributes = sql_list([f"attribute.{name}" for name in self.attributes])
        schemes = {s.id: s for s in self.attribute_only}
        schemes |= {_previous_class(s): s for s in self.context.boards}
        codes = sql_list([f"{class_code(s, s.id)} as {name}" for name, s in schemes.items()])
        at = {"before": before}
        self.index.upsert(self.session.table(state_query, "customer_state"))
        self.index.upsert(step_table(self.session, "restore_attributes", at, attributes=attributes))
        self.index.upsert(step_table(self.session, "restore_classes", at, codes=codes))
        past_due = self.session.table(
            "select as_of, customer_key, days_past_due from customer_month "
            "where as_of > $since and days_past_due > 0",
            "months past due",
            since=month_end(before, -11),
        )
        for month in past_due["as_of"].unique().to_pylist():
            rows = past_due.filter(pc.field("as_of") == month)
            days = self.index.align(rows)["days_past_due"]
            slots = np.flatnonzero(days.is_valid)
            self.delinquency.add(month, slots, days.values[slots])

    def _rulebooks_changed(self) -> bool:
        """Return whether attribute-only schemes have other rulebooks than in the last load."""
        if self.context.is_first_load:
            return False
        columns = "select scheme, effective_on, digest from"
        schemes = ", ".join(sql_literal(s.id) for s in self.attribute_only) or "null"
        count = fetch_value(
            self.session,
            f"select count(*) from ({columns} part.current.rulebook where scheme in ({schemes}) "
            f"except {columns} {self.context.older[-1]}.current.rulebook)",
            "rulebooks that changed",
        )
        return count > 0

    def _find_attribute_changes(self) -> None:
        """Create customer_change: changes of attributes and attribute-only classes by month."""
        months = self.context.months
        changes = [
            month
            for before, month in pairwise(months)
            if any(in_force(s, month) is not in_force(s, before) for s in self.attribute_only)
        ]
        if self._rulebooks_changed():
            changes.append(months[0])
        books = [book for s in self.attribute_only for book in self.context.rulebooks_in_force(s)]
        classes = [f"{self._class_by_edition(s)} as {s.id}" for s in self.attribute_only]
        facts = fragment("customer_attributes").replace("$as_of", "attribute.graded_on")
        run_step(
            self.session,
            "customer_change",
            {"first": months[0], "last": months[-1], "before": month_end(months[0], -1)},
            months=_date_list(months),
            ages=", ".join(calendar_thresholds(books, "age")) or "null",
            payroll_years=", ".join(calendar_thresholds(books, "years_payroll")) or "null",
            rulebook_changes=_date_list(changes) or "null",
            facts=facts,
            names=sql_list(self.attributes),
            graded=sql_list(classes) or "null as no_class",
        )

    def _class_by_edition(self, scheme: Scheme) -> str:
        """Return SQL for the class number by the edition in force on graded_on."""
        first, *later = self.context.months
        otherwise = class_number(scheme, first)
        book = in_force(scheme, first)
        cases = []
        for month in later:
            if in_force(scheme, month) is not book:
                book = in_force(scheme, month)
                cases.append(f"when graded_on >= date '{month}' then {class_number(scheme, month)}")
        if not cases:
            return otherwise
        return f"case {' '.join(reversed(cases))} else {otherwise} end"

    def compute_month(
        self, month: date, loans: Mapping[str, MaskedArray]
    ) -> dict[str, MaskedArray]:
        """Return the columns that customer_month.sql needs, shape (customers,).

        Parameters
        ----------
        month
            The month end; months come in order.
        loans
            The loans at this month end (`LoanMartBuilder.month_state`).
        """
        changes = self.session.table(
            "select * exclude (graded_on) from customer_change where graded_on = $as_of",
            "customer_change",
            as_of=month,
        )
        index = self.index
        index.upsert(changes)
        self._compute_facts(month, loans)
        changed_slots = index.slots(changes.column("customer_key").to_numpy())
        classes = self.grader.grade(month, index, self.facts, changed_slots)
        classes |= {s.id: index.columns[s.id].values for s in self.attribute_only}
        classes |= {
            s.id: _class_by_loans(self.facts[f"worst_{s.id}"]) for s in self.context.loan_schemes
        }
        columns = {"customer_key": number(index.keys), **index.columns, **self.facts}
        integers = self.context.layout.pack_customers(columns, classes)
        self._carry_over(month, classes)
        return columns | {name: number(values) for name, values in integers.items()}

    def _compute_facts(self, month: date, loans: Mapping[str, MaskedArray]) -> None:
        """Compute the facts of a month from the state before and the events of the month."""
        context = self.context
        index = self.index
        kinds = _income_kinds()
        codes = {s.id: class_codes(s) for s in context.loan_schemes}
        update_settlements(self.session, loans)
        borrower_slots = index.slots(loans["customer_key"].values)
        loan_sums = aggregate_loans(loans, borrower_slots, len(index), codes)
        events = self._read(
            "customer_events",
            month,
            signals=fragment("customer_signals"),
            signal_columns=sql_list([f"max({name}) as {name}" for name in self.signals]),
        )
        fees = self._read("customer_fees", month, months_since=_months_since_sql(kinds))
        deposits = self._read("customer_deposits", month)
        year_ago = self._read("customer_year_ago", month)
        flows = monthly_flows(loan_sums, fees, deposits)
        self.state = {
            _MONTHS_SINCE_INCOME: months_since_income(
                self._before(_MONTHS_SINCE_INCOME, np.uint64),
                [fees[f"months_since_{kind}"] for kind in range(len(kinds))],
            ),
            **borrowing_history(self._before, events, loan_sums["loans_settled"]),
            **twelve_month_sums(flows, self._before, year_ago),
            **self._shifted_histories(),
        }
        self.facts = {
            **{name: loan_sums[name] for name in ("loans_open", "loan_balance", "overdue_amount")},
            **{f"worst_{s.id}": loan_sums[f"worst_{s.id}"] for s in context.loan_schemes},
            "count_instalments_late_in_a_row": loan_sums["count_instalments_late_in_a_row"],
            **self._delinquency_facts(month, loan_sums),
            **flows,
            **{name: events[name] for name in self.signals},
            "reloan_bits": number(events["reloan_bits"].fill_null(0)),
            "is_new_borrower": is_new_borrower(
                self._before("first_loan_on", np.int32),
                events,
                day_number(context.records_from),
            ),
            **self._product_facts(loan_sums, deposits["deposit_balance"], len(kinds)),
            **self.state,
        }

    def _delinquency_facts(
        self, month: date, loan_sums: Mapping[str, MaskedArray]
    ) -> dict[str, MaskedArray]:
        days = loan_sums["days_past_due"]
        # A customer without an open loan has 0 days past due, not null.
        is_known = days.is_valid | (loan_sums["loans_open"].values == 0)
        return {
            "days_past_due": number(days.values, is_known),
            **self.delinquency.facts(month, days.values),
        }

    def _product_facts(
        self, loan_sums: Mapping[str, MaskedArray], balance: MaskedArray, kinds: int
    ) -> dict[str, MaskedArray]:
        """Return deposits, the number of products held, and the rank by gross contribution."""
        deposits = balance.fill_null(0)
        families = np.bitwise_count(loan_sums["product_bits"].values)
        services = count_services(self.state[_MONTHS_SINCE_INCOME], kinds)
        gross = sum(self.state[f"{name}_12m"].values for name in ("interest", "fees", "margin"))
        return {
            "deposit_balance": money(deposits) if self.context.has_deposits else balance,
            "products_held": number(families + (deposits > 0) + services),
            "contribution_percentile": percentile(np.asarray(gross)),
        }

    def _shifted_histories(self) -> dict[str, MaskedArray]:
        histories = {}
        for scheme in self.context.boards:
            name = f"history_{scheme.id}"
            before = self._before(name, np.uint64)
            last = self._before(_previous_class(scheme))
            histories[name] = shift_history(before, last, class_codes(scheme).index(NEW))
        return histories

    def _before(self, name: str, dtype: type = np.int64) -> MaskedArray:
        """Return a column of the state before the month; all null when there is none."""
        return self.index.columns.get(name) or nulls(len(self.index), dtype)

    def _read(self, step: str, month: date, **placeholders: str) -> dict[str, MaskedArray]:
        """Run a step and return its columns, one value per slot."""
        parameters = self.context.parameters(month)
        return self.index.align(step_table(self.session, step, parameters, **placeholders))

    def _carry_over(self, month: date, classes: Mapping[str, np.ndarray]) -> None:
        """Store what the next month starts from."""
        self.index.columns |= self.state
        self.index.columns |= {
            _previous_class(s): number(classes[s.id]) for s in self.context.boards
        }
        days = self.facts["days_past_due"].fill_null(0)
        slots = np.flatnonzero(days)
        self.delinquency.add(month, slots, days[slots])

    def export_state(self) -> None:
        """Store the state after the last month, from which the next load continues."""
        state = {"customer_key": number(self.index.keys)}
        state |= {name: self.index.columns[name] for name in self.state_columns[1:]}
        self.session.register(to_arrow_table(state), "customer_to_store")
        run_step(self.session, "store_customer_state", {})
        self.session.unregister("customer_to_store")


def _previous_class(scheme: Scheme) -> str:
    """Return the name of the column with the classes of the month before."""
    return f"previous_{scheme.id}"


def _class_by_loans(worst: MaskedArray) -> np.ndarray:
    """Return the class numbers; customers without an open loan have the class `NONE`."""
    return worst.fill_null(worst.categories.index(NONE)).astype(np.uint8)


def _income_kinds() -> list[str]:
    values = read_contract().table("income").columns["kind"].values
    return [*values, *([] if OTHER in values else [OTHER])]


def _months_since_sql(kinds: Sequence[str]) -> str:
    """Return the select list of customer_fees.sql: months since each kind was last booked."""
    months = "date_diff('month', booked_on, cast($as_of as date))"
    return sql_list(
        [
            f"min({months}) filter (where kind = {sql_literal(kind)}) as months_since_{number}"
            for number, kind in enumerate(kinds)
        ]
    )


def _date_list(days: Iterable[date]) -> str:
    return ", ".join(f"date '{day}'" for day in days)
