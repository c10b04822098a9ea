"""A month of customers: attributes, loans, deposits, fees and signals, added to the month before → customer_month."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from itertools import pairwise

from analytics.course import Course, columns_of, fragment, month_end, run_step
from analytics.layout import NONE, class_code, class_number, code_sql, in_force, lines, shifted
from analytics.packed import bits
from data.contract import OTHER, read_contract
from data.engine import Refused, Workshop
from data.tables import literal

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


class CustomerSteps:
    """The customers of one build."""

    def __init__(self, shop: Workshop, course: Course) -> None:
        self.shop, self.course = shop, course
        self._part_schemes()

    def _part_schemes(self) -> None:
        """Schemes decided by attributes alone, and what the others ask of the attributes."""
        course, attributes = self.course, read_contract().table("customer").columns
        settled = {*attributes, "age", "years_payroll", "family_monthly_income"}
        used = {s.id: {fact for book in course.books(s) for fact in book.facts} for s in course.by_customer}
        self.slow = [s for s in course.by_customer if used[s.id] <= settled]
        self.quick = [s for s in course.by_customer if s not in self.slow]
        asked = {fact for s in self.quick for fact in used[s.id]}
        self.signals = _ALIAS.findall(fragment("customer_signals"))
        carried = [*_RAW, *(code.name for code in course.layout.attributes)]
        carried += sorted(fact for fact in asked if fact in attributes and fact not in carried)
        self.attributes = carried
        decided = sorted(fact for s in self.slow for fact in used[s.id] if fact in attributes)
        self.known = list(dict.fromkeys([*carried, *decided]))

    @property
    def _slow_names(self) -> list[str]:
        return [s.id for s in self.slow] or ["nothing_slow"]

    def begin(self) -> None:
        """The state from which the first month starts, and the changes of attributes in all months."""
        # Scanned every month: a load of many months keeps in memory what it scans.
        kind = "table" if len(self.course.months) > 3 else "view"
        versions = " union all by name ".join(
            f"select {', '.join(self.known)}, {str(catalog == 'part').lower()} as is_delivered "
            f"from {catalog}.kept.customer"
            for catalog in (*self.course.older, "part")
        )
        self.shop.run(f"create or replace temp {kind} customer_known as {versions}", "customer_known")
        run_step(
            self.shop,
            "customer_state.sql",
            {},
            attributes=lines([f"attribute.{name}" for name in self.attributes]),
            slow=lines([f"null::utinyint as {name}" for name in self._slow_names]),
            histories=lines([f"null::ubigint as history_{s.id}" for s in self.course.boards]),
        )
        self.carried = columns_of(self.shop, "customer_now")
        self._changes(self._resume())

    def _resume(self) -> bool:
        """Take up what the last load left; whether all attributes must be read and graded again."""
        if self.course.is_opening:
            return False
        older = self.course.older[-1]
        names = set(columns_of(self.shop, "customer_state", older))
        if not names:
            raise Refused(
                "上一版数据由旧程序生成，不能接续：请重新加载完整数据。"
                "The edition before was made by an older program and cannot be continued: load the full delivery again."
            )
        changed = self.shop.one(
            "select count(*) from (select scheme, effective_on, digest from part.head.rulebook where scheme in "
            f"({', '.join(literal(s.id) for s in self.slow) or 'null'}) except "
            f"select scheme, effective_on, digest from {older}.head.rulebook)",
            "rulebooks that changed",
        )[0]
        common = [name for name in self.carried if name in names]
        self.course.resume(self.shop, "customer_now", "customer_state", common)
        self.shop.run(
            "insert into late_month select customer_key, as_of, days_past_due from customer_month "
            "where as_of > :since and days_past_due > 0",
            "late_month",
            since=month_end(self.course.months[0], -12),
        )
        # An attribute that a rule asks for only now was not carried.
        return changed > 0 or len(common) < len(self.carried)

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
            facts=fragment("customer_attributes").replace(":as_of", "attribute.graded_on"),
            names=lines(self.attributes),
            graded=lines([f"{self._slow_class(s)} as {s.id}" for s in self.slow]) or "null as nothing_slow",
        )

    def _slow_class(self, scheme) -> str:
        """The number of a class by the edition in force on the day of each row."""
        found, told = None, []
        for month in self.course.months:
            if not told or in_force(scheme, month) is not found:
                found = in_force(scheme, month)
                told.append((month, class_number(scheme, month)))
        arms = " ".join(f"when graded_on >= date '{month}' then {sql}" for month, sql in reversed(told[1:]))
        return f"case {arms} else {told[0][1]} end" if arms else told[0][1]

    def month(self, month: date, loans: str) -> None:
        """Write the month's rows of customer_month; `loans` is the table of the month's loans. The months come in their
        order.
        """
        bound, course, slow = self.course.bound(month), self.course, self._slow_names
        run_step(self.shop, "customer_now.sql", bound, replaced=", ".join([*self.attributes, *slow]))
        run_step(
            self.shop,
            "customer_facts.sql",
            bound,
            loans=loans,
            kept=lines([f"attribute.{name} as {name}" for name in (*self.attributes, *slow)]),
            histories=lines(
                [shifted(s, f"attribute.history_{s.id}", class_code(s, f"one.{s.id}")) for s in course.boards]
            ),
            worst=",\n        ".join(f"max({s.id}) filter (where balance > 0) as worst_{s.id}" for s in course.by_loan),
            worst_of=",\n        ".join(f"borrowed.worst_{s.id}" for s in course.by_loan),
            **_services(),
            signals=fragment("customer_signals"),
            warned=lines([f"max({name}) as {name}" for name in self.signals]),
            signals_known=fragment("customer_signals_known").replace("warned.", "happened."),
        )
        run_step(self.shop, "customer_percentile.sql", bound)
        run_step(
            self.shop,
            "customer_month.sql",
            bound,
            attributes=fragment("customer_attributes"),
            worst=lines([f"coalesce(attribute.worst_{s.id}, {code_sql(s, NONE)}) as {s.id}" for s in course.by_loan]),
            graded=lines([f"{class_number(s, month)} as class_{s.id}" for s in self.quick] or ["1 as one"]),
            packed=course.layout.customer_row(
                {s.id: f"customer.class_{s.id}" for s in self.quick}
                | {s.id: f"customer.{s.id}" for s in self.slow}
                | {s.id: class_code(s, f"customer.{s.id}") for s in course.by_loan}
            ),
        )
        run_step(self.shop, "customer_carried.sql", bound)

    def keep(self) -> None:
        """What the last month hands on to the next load."""
        run_step(self.shop, "customer_kept.sql", {}, carried=", ".join(self.carried))


def _services() -> dict[str, str]:
    """Months since each kind of income was last booked: this month's, the new packed number, and how many kinds were
    booked within twelve months.
    """
    column = read_contract().table("income").columns["kind"]
    kinds = [*column.values, *([] if OTHER in column.values else [OTHER])]
    ages = [
        f"least(coalesce({bits('attribute.service_ages', 4 * number, 4)}, 15) + 1, "
        f"coalesce(earned.age_{number}, 15), 15)"
        for number in range(len(kinds))
    ]
    since = "date_diff('month', booked_on, cast(:as_of as date))"
    return {
        "services": lines(
            [f"min({since}) filter (where kind = {literal(kind)}) as age_{number}" for number, kind in enumerate(kinds)]
        ),
        "service_ages": " | ".join(f"(({age})::ubigint << {4 * number})" for number, age in enumerate(ages)),
        "services_held": " + ".join(
            f"({bits('service_ages', 4 * number, 4)} < 12)::utinyint" for number in range(len(kinds))
        ),
    }


def _turning(books: Sequence, fact: str) -> list[str]:
    """The values of a fact in years at which a rule of these books may decide otherwise than a year before."""
    asked = {int(n) for b in books for rule in b.leaves() if rule.fact.name == fact for n in rule.literals}
    return [str(years) for years in sorted({*asked, *(years + 1 for years in asked)}) if years > 0]
