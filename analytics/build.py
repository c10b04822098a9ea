"""Kept tables → marts and trend cubes, one month end after the other, each from the month before and its own events.

The SQL stands in analytics/sql/marts; put into it here are declared names only: the class expressions of the rulebooks,
the codes of the contract, the aggregates of metrics.toml.
"""

from __future__ import annotations

import re
import tomllib
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from analytics import rulebooks
from analytics.declared import METRICS
from analytics.layout import (
    BOARDS,
    NONE,
    Layout,
    class_code,
    class_codes,
    class_number,
    class_sql,
    code_sql,
    in_force,
    lines,
    recoded,
    shift,
    shifted,
)
from analytics.packed import bits
from data.contract import OTHER, read_contract
from data.engine import Refused, Workshop
from data.tables import literal

MARTS = Path(__file__).parent / "sql" / "marts"
FACTS = Path(__file__).parent / "sql" / "facts"
ASSUMPTIONS = Path(__file__).parents[1] / "data" / "assumptions.toml"
CUBES = ("loan", "customer")
BEGINNING = date(1, 1, 1)


def month_end(day: date, months: int = 0) -> date:
    """The last day of the month that lies `months` after the month of `day`."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, monthrange(year, month + 1)[1])


def assumptions(as_of: date) -> dict:
    """The edition of data/assumptions.toml in force: rates a year, CNY a month, `pd` and `provision` by loan class."""
    editions = tomllib.loads(ASSUMPTIONS.read_text(encoding="utf-8"))["edition"]
    return max((e for e in editions if e["effective_on"] <= as_of), key=lambda e: e["effective_on"])


def fragment(name: str) -> str:
    """The select list of facts that the build and `analytics.facts` share, from analytics/sql/facts."""
    return (FACTS / f"{name}.sql").read_text(encoding="utf-8")


def build(shop: Workshop, months: Sequence[date], progress: Callable[[date], None] | None = None) -> None:
    """Build the marts of the given month ends (consecutive, ascending) into the workshop's part.

    The kept tables of the load are in place; older parts, if any, end with the month before months[0].
    Raises data.engine.QueryError, which names the .sql file and the statement.
    """
    _Build(shop, months).run(progress or (lambda month: None))


class _Build:
    def __init__(self, shop: Workshop, months: Sequence[date]) -> None:
        self.shop, self.months, self.opening = shop, months, not shop.older
        schemes = rulebooks.read().values()
        self.by_loan = [s for s in schemes if s.grain == "loan"]
        self.by_customer = [s for s in schemes if s.grain == "customer"]
        self.boards = [s for s in schemes if s.id in BOARDS]
        self.five = next(s for s in schemes if s.id == "loan_five")
        self.layout = Layout(self.by_loan, self.by_customer)
        self._part_schemes()

    def _part_schemes(self) -> None:
        """Schemes decided by attributes alone, and what the others ask of the attributes."""
        attributes = read_contract().table("customer").columns
        settled = {*attributes, "age", "years_payroll", "family_monthly_income"}
        used = {s.id: {fact for book in self._books(s) for fact in book.facts} for s in self.by_customer}
        self.slow = [s for s in self.by_customer if used[s.id] <= settled]
        self.quick = [s for s in self.by_customer if s not in self.slow]
        asked = {fact for s in self.quick for fact in used[s.id]}
        self.signals = _ALIAS.findall(fragment("customer_signals"))
        carried = [*_RAW, *(code.name for code in self.layout.attributes)]
        carried += sorted(fact for fact in asked if fact in attributes and fact not in carried)
        self.attributes = [f"attribute.{name}" for name in carried]
        decided = sorted(fact for s in self.slow for fact in used[s.id] if fact in attributes)
        self.known = list(dict.fromkeys([*carried, *decided]))

    def _books(self, scheme) -> list:
        """The editions of a scheme that grade a month of this load."""
        found = {id(book): book for month in self.months if (book := in_force(scheme, month))}
        return list(found.values())

    def run(self, progress: Callable[[date], None]) -> None:
        self._make_tables()
        self._sql("loan_life.sql")
        self.shop.views()
        self._sql("settlement.sql")
        self.shop.views()
        self.has_deposits = self._filled("deposit_balance")
        self.has_signals = self._filled("signal")
        self.has_events = not self.shop.one("select exists (select 1 from part.kept.loan_snapshot)")[0]
        self.last_loan_key = 0
        if not self.opening:
            self.last_loan_key = self.shop.one(
                "select coalesce(max(loan_key), 0) from loan_number "
                "where loan_key not in (select loan_key from part.kept.loan_number)"
            )[0]
        self._resume()
        self._changes()
        for number, month in enumerate(self.months):
            self._month(month, is_first=number == 0)
            progress(month)
        for grain in CUBES:
            self._cubes(grain)
        self._sql("kept_state.sql", loan_carried=self.loan_carried, customer_carried=self.customer_carried)

    def _filled(self, table: str) -> bool:
        return self.shop.one(f"select exists (select 1 from {table})", table)[0]

    def _make_tables(self) -> None:
        self.shop.views()
        self._sql("tables.sql", **self.layout.columns())
        self._insert("derived", self.layout.derived())
        self._keep_rulebooks()
        codes = {code.name: code.type for code in self.layout.loan_codes}
        # Scanned every month: a load of many months keeps in memory what it scans.
        kind = "table" if len(self.months) > 3 else "view"
        versions = " union all by name ".join(
            f"select {', '.join(self.known)}, {str(catalog == 'part').lower()} as is_delivered "
            f"from {catalog}.kept.customer"
            for catalog in (*self.shop.older, "part")
        )
        self.shop.run(f"create or replace temp {kind} customer_known as {versions}", "customer_known")
        self._sql(
            "state.sql",
            **codes,
            loan_histories=lines([f"history_{s.id} ubigint" for s in self.boards if s.grain == "loan"]),
            attributes=lines(self.attributes),
            slow=lines([f"null::utinyint as {s.id}" for s in self.slow]) or "null as nothing_slow",
            customer_histories=lines([f"null::ubigint as history_{s.id}" for s in self.boards]),
        )
        self.loan_carried = ", ".join(self._columns("loan_now"))
        self.customer_carried = ", ".join(self._columns("customer_now"))
        self.shop.run(
            "create or replace temp table product_codes as "
            "select product_key, enum_code(family)::integer as family_code from product",
            "product_codes",
        )
        self.shop.views()

    def _columns(self, table: str) -> list[str]:
        sql = "select column_name from duckdb_columns() where table_name = :name order by column_index"
        return self.shop.frame(sql, "columns", name=table)["column_name"].tolist()

    def _keep_rulebooks(self) -> None:
        """The text of every rulebook that grades this part: what is in force for it whatever becomes of the files."""
        schemes = [*self.by_loan, *self.by_customer]
        books = [(s.id, book.effective_on, book.digest, book.text) for s in schemes for book in s.editions]
        self._insert("rulebook", books)
        codes = [(s.id, code, name) for s in self.boards for code, name in enumerate(class_codes(s))]
        self._insert("history_code", codes)

    def _insert(self, table: str, rows: Sequence[tuple]) -> None:
        """Rows into a small table of schema head, their values bound."""
        values = ", ".join(f"({', '.join(f':v{r}_{c}' for c in range(len(row)))})" for r, row in enumerate(rows))
        bound = {f"v{r}_{c}": value for r, row in enumerate(rows) for c, value in enumerate(row)}
        self.shop.run(f"insert into part.head.{table} values {values}", table, **bound)

    def _resume(self) -> None:
        """Take up what the last load left, if there was one."""
        self.is_regraded = False
        if self.opening:
            return
        older = self.shop.older[-1]
        names = set(self._columns_of(older, "customer_state"))
        if not names:
            raise Refused(
                "上一版数据由旧程序生成，不能接续：请重新加载完整数据。"
                "The edition before was made by an older program and cannot be continued: load the full delivery again."
            )
        kept = self.shop.frame(
            "select scheme, effective_on, digest from part.head.rulebook where scheme in "
            f"({', '.join(literal(s.id) for s in self.slow) or 'null'}) except "
            f"select scheme, effective_on, digest from {older}.head.rulebook",
            "rulebooks that changed",
        )
        common = [name for name in self._columns("customer_now") if name in names]
        # An attribute that a rule asks for only now was not carried: all attributes are read again.
        self.is_regraded = not kept.empty or len(common) < len(self._columns("customer_now"))
        histories = {s.id: self._history(s, older) for s in self.boards}
        for table, state, columns in (
            ("loan_now", "loan_state", self._columns("loan_now")),
            ("instalment_now", "instalment_open", self._columns("instalment_now")),
            ("customer_now", "customer_state", common),
        ):
            told = [histories.get(name.removeprefix("history_"), name) for name in columns]
            self.shop.run(
                f"insert into {table} by name select "
                + ", ".join(f"{sql} as {name}" for sql, name in zip(told, columns, strict=True))
                + f" from {older}.head.{state}",
                state,
            )
        self.shop.run(
            "insert into late_month select customer_key, as_of, days_past_due from customer_month "
            "where as_of > :since and days_past_due > 0",
            "late_month",
            since=month_end(self.months[0], -12),
        )

    def _columns_of(self, catalog: str, table: str) -> list[str]:
        sql = "select column_name from duckdb_columns() where database_name = :catalog and table_name = :name"
        return self.shop.frame(sql, "columns", catalog=catalog, name=table)["column_name"].tolist()

    def _history(self, scheme, older: str) -> str:
        """A scheme's history in today's codes: the classes of its rulebook may have changed since the last load."""
        before = self.shop.frame(
            f"select class from {older}.head.history_code where scheme = :scheme order by code",
            "history_code",
            scheme=scheme.id,
        )["class"].tolist()
        return recoded(f"history_{scheme.id}", before, class_codes(scheme))

    def _changes(self) -> None:
        """The months of this load in which attributes change, and the classes that follow from them alone."""
        first, last = self.months[0], self.months[-1]
        regraded = [
            month
            for before, month in pairwise(self.months)
            if any(in_force(s, month) is not in_force(s, before) for s in self.slow)
        ]
        if self.is_regraded:
            regraded.append(first)
        books = [book for s in self.slow for book in self._books(s)]
        self._sql(
            "customer_change.sql",
            months=", ".join(f"date '{month}'" for month in self.months),
            ages=", ".join(_turning(books, "age")) or "null",
            wage_years=", ".join(_turning(books, "years_payroll")) or "null",
            regraded=", ".join(f"date '{month}'" for month in regraded) or "null",
            facts=fragment("customer_attributes").replace(":as_of", "attribute.graded_on"),
            names=lines([name.removeprefix("attribute.") for name in self.attributes]),
            graded=lines([f"{self._slow_class(s)} as {s.id}" for s in self.slow]) or "null as nothing_slow",
            bound={"first": first, "last": last, "before": month_end(first, -1)},
        )

    def _slow_class(self, scheme) -> str:
        """The number of a class by the edition in force on the day of each row."""
        found, told = None, []
        for month in self.months:
            if not told or in_force(scheme, month) is not found:
                found = in_force(scheme, month)
                told.append((month, class_number(scheme, month)))
        arms = " ".join(f"when graded_on >= date '{month}' then {sql}" for month, sql in reversed(told[1:]))
        return f"case {arms} else {told[0][1]} end" if arms else told[0][1]

    def _month(self, month: date, is_first: bool) -> None:
        """One month end: loans, their classes and values, customers, their classes, the two marts, the cubes."""
        previous, quarter, assumed = month_end(month, -1), month_end(month, -3), assumptions(month)
        self.bound = {
            "as_of": month,
            "previous": previous,
            # The first month of a load takes all that came: a late event counts when it is known, closed months stay.
            "since": BEGINNING if is_first else previous,
            "since_month": BEGINNING if is_first and not self.opening else previous,
            "year_before": month_end(month, -12),
            "half_year_before": month_end(month, -6),
            "judged_after": quarter,
            "judged_from": quarter + timedelta(days=1),
            "judged_since": quarter if is_first and self.opening else previous,
            "has_deposits": self.has_deposits,
            "has_signals": self.has_signals,
            "has_events": self.has_events,
            "is_first": is_first,
            "is_opening": is_first and self.opening,
            "last_loan_key": self.last_loan_key,
            **{key: value for key, value in assumed.items() if isinstance(value, float)},
        }
        if is_first:
            self._sql("loan_now.sql")
        self._class_values(assumed)
        self._loans(month)
        self._customers(month)
        self._sql("loan_month.sql", **self.layout.loan_row())
        for grain in CUBES:
            self._cells(grain, is_first)
        self._carry()

    def _loans(self, month: date) -> None:
        if self.has_events:
            self._sql("instalment_due.sql")
            self._sql("loan_due.sql", carried=self.loan_carried)
            for name in ("instalment_open.sql", "first_payment.sql"):
                self._sql(name)
        histories = [s for s in self.boards if s.grain == "loan"]
        self._sql(
            "loan_values.sql",
            facts=(MARTS / ("loan_facts.sql" if self.has_events else "loan_snapshot_facts.sql")).read_text(
                encoding="utf-8"
            ),
            carried=self.loan_carried,
            dates=fragment("loan_dates"),
            graded=lines([f"{class_sql(s, month)} as {s.id}" for s in self.by_loan]),
            histories=", ".join(f"loan.history_{s.id}" for s in histories),
            shifted=lines(
                [
                    shifted(
                        s, f"loan.history_{s.id}", f"case when loan.has_row then {class_code(s, f'loan.{s.id}')} end"
                    )
                    for s in histories
                ]
            ),
        )

    def _customers(self, month: date) -> None:
        attributes, slow = [name.removeprefix("attribute.") for name in self.attributes], [s.id for s in self.slow]
        self._sql("customer_now.sql", replaced=", ".join([*attributes, *(slow or ["nothing_slow"])]))
        self._sql(
            "customer_facts.sql",
            kept=lines([*self.attributes, *(f"attribute.{name} as {name}" for name in slow or ["nothing_slow"])]),
            histories=lines(
                [shifted(s, f"attribute.history_{s.id}", class_code(s, f"one.{s.id}")) for s in self.boards]
            ),
            worst=",\n        ".join(f"max({s.id}) filter (where balance > 0) as worst_{s.id}" for s in self.by_loan),
            worst_of=",\n        ".join(f"borrowed.worst_{s.id}" for s in self.by_loan),
            **_services(),
            signals=fragment("customer_signals"),
            warned=lines([f"max({name}) as {name}" for name in self.signals]),
            signals_known=fragment("customer_signals_known").replace("warned.", "happened."),
        )
        self._sql("customer_percentile.sql")
        self._sql(
            "customer_month.sql",
            attributes=fragment("customer_attributes"),
            worst=lines([f"coalesce(attribute.worst_{s.id}, {code_sql(s, NONE)}) as {s.id}" for s in self.by_loan]),
            graded=lines([f"{class_number(s, month)} as class_{s.id}" for s in self.quick] or ["1 as one"]),
            packed=self.layout.customer_row(
                {s.id: f"customer.class_{s.id}" for s in self.quick}
                | {s.id: f"customer.{s.id}" for s in self.slow}
                | {s.id: class_code(s, f"customer.{s.id}") for s in self.by_loan}
            ),
        )

    def _carry(self) -> None:
        """Make this month's rows the state from which the next month starts."""
        histories = [s for s in self.boards if s.grain == "loan"]
        if self.has_events:
            self.shop.run("drop table loan_now; alter table loan_values rename to loan_now", "loans carried")
        else:
            self._sql(
                "loan_carried.sql",
                carried=self.loan_carried,
                histories=", ".join(f"history_{s.id}" for s in histories),
                shifted=lines(
                    [
                        f"case when month.loan_key is not null then month.history_{s.id} else "
                        f"{shift(s, f'known.history_{s.id}', 'null')} end as history_{s.id}"
                        for s in histories
                    ]
                ),
            )
        self._sql("customer_carried.sql")

    def _class_values(self, assumed: dict) -> None:
        """What a class of loan_five stands for this month: non-performing or not, its provision rate and PD."""
        self.shop.run(
            "create or replace temp table class_values (code varchar, npl boolean, pd double, provision double)",
            "class_values",
        )
        book = in_force(self.five, self.bound["as_of"])
        general = book.parameters["general_provision_rate"].value if book else 0
        for item in book.classes if book else ():
            self.shop.run(
                "insert into class_values values (:code, :npl, :pd, :provision)",
                "class_values",
                code=item.code,
                npl=book.attribute(item.code, "is_npl"),
                pd=assumed["pd"].get(item.code, 0.0),
                provision=book.attribute(item.code, "provision_rate") + general,
            )

    def _cells(self, grain: str, is_first: bool) -> None:
        """Sum the month's rows of a mart into cells: every declared additive metric by all that a cube may ask for."""
        keys, measures = self.layout.cell_keys(grain), _measures(grain)
        columns = ", ".join(f"{sql} as {name}" for name, sql in (keys | measures).items())
        self.shop.run(
            f"{f'create or replace temp table {grain}_cells as' if is_first else f'insert into {grain}_cells'} "
            f"select cast(:as_of as date) as as_of, {columns} from {grain}_month as fact where as_of = :as_of "
            f"group by {', '.join(keys.values())}",
            f"{grain}_cells",
            **self.bound,
        )

    def _cubes(self, grain: str) -> None:
        """The cells of all months, far fewer than the rows, summed again into one cube per scheme of the boards: its
        classes today and at the openings.
        """
        types = {name: sql.rsplit("::", 1)[1] for name, sql in _measures(grain).items()}
        for scheme in self.boards:
            by, shown = self.layout.cube_columns(grain, scheme)
            self.shop.run(
                f"create table part.kept.cube_{grain}_{scheme.id} as select as_of, {', '.join([*shown, *types])} from ("
                f"select as_of, {', '.join([*by, *(f'sum({n})::{t} as {n}' for n, t in types.items())])} "
                f"from {grain}_cells group by {', '.join(['as_of', *by])}) order by as_of",
                f"cube_{grain}_{scheme.id}",
            )

    def _sql(self, name: str, bound: Mapping[str, Any] | None = None, **put: str) -> None:
        text = (MARTS / name).read_text(encoding="utf-8")
        # What is put in may itself have places to fill: the facts of loans take what is carried.
        for key, sql in sorted(put.items(), key=lambda item: item[0] != "facts"):
            text = text.replace("{" + key + "}", sql)
        self.shop.run(text, name, **(getattr(self, "bound", {}) if bound is None else bound))


def _measures(grain: str) -> dict[str, str]:
    """Column of the cubes → aggregate, for every declared metric of a mart that can be summed."""
    found: dict[str, str] = {}
    for metric in METRICS.values():
        if metric.source.id == f"{grain}_month" and metric.is_additive:
            found |= metric.measures
    return found


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
