"""A month of customers: attributes, loans, deposits, fees and signals, added to the month before → customer_month."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise

import numpy as np
import pyarrow.compute as pc

from analytics.marts.columns import (
    CustomerIndex,
    MaskedArray,
    money,
    number,
    to_arrow_table,
    unknown,
)
from analytics.marts.context import BuildContext, columns_of, run_step, step_table
from analytics.marts.customer_grades import CustomerGrader
from analytics.marts.customer_state import (
    DelinquencyWindow,
    earliest,
    flows,
    history,
    of_loans,
    percentile,
    services,
    services_held,
    twelve_months,
)
from analytics.marts.row_layout import class_code, class_number, lines
from analytics.rulebooks.schemes import NEW, NONE, class_codes, in_force
from analytics.sql.templates import fragment
from data.contract.schema import OTHER, read_contract
from data.contract.tables import sql_literal
from data.dates import month_end
from data.editions.part_writer import BuildSession
from data.errors import UserError

_RAW = (
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
_ALIAS = re.compile(r" as (has_signal_\w+)")


class CustomerMartBuilder:
    """The customers of one build."""

    def __init__(self, shop: BuildSession, course: BuildContext) -> None:
        self.shop, self.course = shop, course
        self._part_schemes()

    def _part_schemes(self) -> None:
        """Schemes decided by attributes alone, and what the others ask of the attributes."""
        course, attributes = self.course, read_contract().table("customer").columns
        settled = {*attributes, "age", "years_payroll", "family_monthly_income"}
        used = {
            s.id: {fact for book in course.books(s) for fact in book.facts}
            for s in course.by_customer
        }
        self.slow = [s for s in course.by_customer if used[s.id] <= settled]
        self.quick = [s for s in course.by_customer if s not in self.slow]
        asked = {fact for s in self.quick for fact in used[s.id]}
        self.signals = _ALIAS.findall(fragment("customer_signals"))
        carried = [*_RAW, *(code.name for code in course.layout.attributes)]
        carried += sorted(fact for fact in asked if fact in attributes and fact not in carried)
        self.attributes = carried
        decided = sorted(fact for s in self.slow for fact in used[s.id] if fact in attributes)
        self.known = list(dict.fromkeys([*carried, *decided]))
        # What else the next load needs stands in the last month's rows.
        self.kept = ["customer_key", "service_ages", *(f"history_{s.id}" for s in course.boards)]

    def begin(self) -> None:
        """The state from which the first month starts, and the changes of attributes in all months."""
        # Scanned every month: a load of many months keeps in memory what it scans.
        kind = "table" if len(self.course.months) > 3 else "view"
        versions = " union all by name ".join(
            f"select {', '.join(self.known)}, {str(catalog == 'part').lower()} as is_delivered "
            f"from {catalog}.history.customer"
            for catalog in (*self.course.older, "part")
        )
        self.shop.run(
            f"create or replace temp {kind} customer_known as {versions}", "customer_known"
        )
        self.roster = CustomerIndex(
            self.shop.one("select coalesce(max(customer_key), 0) from customer_known")[0]
        )
        self.late = DelinquencyWindow()
        self.classes = CustomerGrader(self.shop, self.course, self.quick, self.signals)
        self._changes(self._resume())

    def _resume(self) -> bool:
        """Take up what the last load left; whether all attributes must be read and graded again."""
        if self.course.is_opening:
            return False
        older = self.course.older[-1]
        if not columns_of(self.shop, "customer_state", older):
            raise UserError("edition_lacks_build_state")
        changed = self.shop.one(
            "select count(*) from (select scheme, effective_on, digest from part.current.rulebook where scheme in "
            f"({', '.join(sql_literal(s.id) for s in self.slow) or 'null'}) except "
            f"select scheme, effective_on, digest from {older}.current.rulebook)",
            "rulebooks that changed",
        )[0]
        before = month_end(self.course.months[0], -1)
        attributes = lines([f"attribute.{name}" for name in self.attributes])
        classes = {s.id: s for s in self.slow} | {_before(s): s for s in self.course.boards}
        codes = lines([f"{class_code(s, s.id)} as {name}" for name, s in classes.items()])
        self.roster.put(
            self.shop.table(
                self.course.left(self.shop, "customer_state", self.kept), "customer_state"
            )
        )
        self.roster.put(
            step_table(self.shop, "restore_attributes.sql", {"before": before}, attributes=attributes)
        )
        self.roster.put(
            step_table(self.shop, "restore_classes.sql", {"before": before}, codes=codes)
        )
        late = self.shop.table(
            "select as_of, customer_key, days_past_due from customer_month where as_of > $since and days_past_due > 0",
            "months past due",
            since=month_end(before, -11),
        )
        for month in late["as_of"].unique().to_pylist():
            told = self.roster.spread(late.filter(pc.equal(late["as_of"], month)))["days_past_due"]
            places = np.flatnonzero(told.is_known)
            self.late.keep(month, places, told.values[places])
        return changed > 0

    def _changes(self, is_regraded: bool) -> None:
        """The months of this load in which attributes change, and the classes that follow from them alone."""
        months = self.course.months
        regraded = [
            month
            for before, month in pairwise(months)
            if any(in_force(s, month) is not in_force(s, before) for s in self.slow)
        ]
        if is_regraded:
            regraded.append(months[0])
        books = [book for s in self.slow for book in self.course.books(s)]
        run_step(
            self.shop,
            "customer_change.sql",
            {"first": months[0], "last": months[-1], "before": month_end(months[0], -1)},
            months=", ".join(f"date '{month}'" for month in months),
            ages=", ".join(_turning(books, "age")) or "null",
            wage_years=", ".join(_turning(books, "years_payroll")) or "null",
            regraded=", ".join(f"date '{month}'" for month in regraded) or "null",
            facts=fragment("customer_attributes").replace("$as_of", "attribute.graded_on"),
            names=lines(self.attributes),
            graded=lines([f"{self._slow_class(s)} as {s.id}" for s in self.slow])
            or "null as nothing_slow",
        )

    def _slow_class(self, scheme) -> str:
        """The number of a class by the edition in force on the day of each row."""
        found, told = None, []
        for month in self.course.months:
            if not told or in_force(scheme, month) is not found:
                found = in_force(scheme, month)
                told.append((month, class_number(scheme, month)))
        arms = " ".join(
            f"when graded_on >= date '{month}' then {sql}" for month, sql in reversed(told[1:])
        )
        return f"case {arms} else {told[0][1]} end" if arms else told[0][1]

    def month(self, month: date, loans: Mapping[str, MaskedArray]) -> dict[str, MaskedArray]:
        """What customer_month.sql needs for the month's rows; `loans` are those of the month. The months
        come in their order.
        """
        bound, shop, roster = self.course.bound(month), self.shop, self.roster
        changed = shop.table(
            "select * exclude (graded_on) from customer_change where graded_on = $as_of",
            "customer_change",
            **bound,
        )
        roster.put(changed)
        self._gather(month, loans)
        arrived = roster.places(changed.column("customer_key").to_numpy())
        classes = self.classes.month(month, roster, self.facts, arrived)
        classes |= {s.id: roster.columns[s.id].values for s in self.slow}
        classes |= {s.id: _numbered(self.facts[f"worst_{s.id}"]) for s in self.course.by_loan}
        facts = {"customer_key": number(roster.keys), **roster.columns, **self.facts}
        packed = self.course.layout.customer_row(facts, classes)
        self._carry(month, classes)
        return facts | {name: number(values) for name, values in packed.items()}

    def _gather(self, month: date, loans: Mapping[str, MaskedArray]) -> None:
        """The facts of the month, from what was carried and what the month brought."""
        bound, course, roster, kinds = (
            self.course.bound(month),
            self.course,
            self.roster,
            _service_kinds(),
        )

        def found(name: str, **put: str) -> dict[str, MaskedArray]:
            return roster.spread(step_table(self.shop, f"customer_{name}.sql", bound, **put))

        codes = {s.id: class_codes(s) for s in course.by_loan}
        borrowed = of_loans(loans, roster.places(loans["customer_key"].values), len(roster), codes)
        warned = lines([f"max({name}) as {name}" for name in self.signals])
        happened = found("events", signals=fragment("customer_signals"), warned=warned)
        earned = found("fees", services=_service_months(kinds))
        saved, year_ago = found("deposits"), found("year_ago")

        def before(name: str, kind: type = np.int64) -> MaskedArray:
            return roster.columns.get(name) or unknown(len(roster), kind)

        days = borrowed["days_past_due"]
        deposit = saved["deposit_balance"].filled(0)
        ages = services(
            before("service_ages", np.uint64), [earned[f"age_{kind}"] for kind in range(len(kinds))]
        )
        flow = flows(borrowed, earned, saved)
        year = twelve_months(flow, before, year_ago)
        gross = sum(year[f"{name}_12m"].values for name in ("interest", "fees", "margin"))
        products = np.bitwise_count(borrowed["product_bits"].values) + (deposit > 0)
        self.carried = {
            "service_ages": ages,
            "first_loan_on": earliest(before("first_loan_on", np.int32), happened["first_loan_on"]),
            "loans_ever": _sum(before("loans_ever"), happened["loans_new"]),
            "loans_settled": _sum(
                before("loans_settled"), happened["loans_ended"], borrowed["loans_settled"]
            ),
            **year,
        }
        self.facts = {
            **{name: borrowed[name] for name in ("loans_open", "loan_balance", "overdue_amount")},
            # Of a customer who owes nothing it is known that nothing is late.
            "days_past_due": number(
                days.values, days.is_known | (borrowed["loans_open"].values == 0)
            ),
            **{f"worst_{s.id}": borrowed[f"worst_{s.id}"] for s in course.by_loan},
            "count_instalments_late_in_a_row": borrowed["count_instalments_late_in_a_row"],
            "deposit_balance": money(deposit) if course.has_deposits else saved["deposit_balance"],
            **self.late.facts(month, days.values),
            **flow,
            **{name: happened[name] for name in self.signals},
            "reloan_bits": number(happened["reloan_bits"].filled(0)),
            "products_held": number(products + services_held(ages, len(kinds))),
            "contribution_percentile": percentile(gross),
        }
        for scheme in course.boards:
            name, new = f"history_{scheme.id}", class_codes(scheme).index(NEW)
            self.carried[name] = history(before(name, np.uint64), before(_before(scheme)), new)
        self.facts |= self.carried

    def _carry(self, month: date, classes: Mapping[str, np.ndarray]) -> None:
        """The month's facts are what the next month starts from."""
        self.roster.columns |= self.carried | {
            _before(s): number(classes[s.id]) for s in self.course.boards
        }
        days = self.facts["days_past_due"].filled(0)
        places = np.flatnonzero(days)
        self.late.keep(month, places, days[places])

    def keep(self) -> None:
        """What the last month hands on to the next load."""
        carried = {name: self.roster.columns[name] for name in self.kept if name != "customer_key"}
        self.shop.arrow(
            to_arrow_table({"customer_key": number(self.roster.keys)} | carried), "customer_carried"
        )
        run_step(self.shop, "store_customer_state.sql", {})
        self.shop.forget("customer_carried")


def _before(scheme) -> str:
    """The column of the classes of the month before."""
    return f"before_{scheme.id}"


def _numbered(worst: MaskedArray) -> np.ndarray:
    """The numbers of classes; that of a customer without one."""
    return worst.filled(worst.words.index(NONE)).astype(np.uint8)


def _sum(*counts: MaskedArray) -> MaskedArray:
    return number(sum(count.filled(0).astype(np.int32) for count in counts))


def _service_kinds() -> list[str]:
    column = read_contract().table("income").columns["kind"]
    return [*column.values, *([] if OTHER in column.values else [OTHER])]


def _service_months(kinds: Sequence[str]) -> str:
    """Months since each kind of income was last booked."""
    since = "date_diff('month', booked_on, cast($as_of as date))"
    return lines(
        [
            f"min({since}) filter (where kind = {sql_literal(kind)}) as age_{n}"
            for n, kind in enumerate(kinds)
        ]
    )


def _turning(books: Sequence, fact: str) -> list[str]:
    """The values of a fact in years at which a rule of these books may decide otherwise than a year before."""
    asked = {
        int(n)
        for b in books
        for rule in b.leaves()
        if rule.fact.name == fact
        for n in rule.literals
    }
    return [str(years) for years in sorted({*asked, *(years + 1 for years in asked)}) if years > 0]
