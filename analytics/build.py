"""Kept tables → marts and trend cubes, one month end after the other, each from the month before and its own events.

The SQL stands in analytics/sql/marts; put into it here are declared names only: the class expressions of the rulebooks,
the codes of the contract, the aggregates of metrics.toml.
"""

from __future__ import annotations

import tomllib
from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

from analytics import rulebooks
from analytics.declared import METRICS
from data.contract import read_contract
from data.engine import Workshop
from data.tables import enum

MARTS = Path(__file__).parent / "sql" / "marts"
FACTS = Path(__file__).parent / "sql" / "facts"
ASSUMPTIONS = Path(__file__).parents[1] / "data" / "assumptions.toml"
OPENINGS = (1, 3, 12)
# A class at the opening of a customer or loan that was not there yet; the class by loans of a customer without one.
NEW, NONE = "new", "no_loan"
# The schemes that the boards open with: their openings and cubes are kept. The class of the day is kept for every
# scheme, the opening of another one is looked up when asked for: eleven schemes at four openings would fill half a row.
BOARDS = ("abcd", "loan_five")
CUBES = {"loan": ("branch_key", "product_key", "channel", "guarantee"), "customer": ("branch_key",)}
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
    _Build(shop, opening=not shop.older).run(months, progress or (lambda month: None))


class _Build:
    def __init__(self, shop: Workshop, opening: bool) -> None:
        self.shop, self.opening = shop, opening
        schemes = rulebooks.read().values()
        self.boards = [s for s in schemes if s.id in BOARDS]
        self.by_loan = [s for s in schemes if s.grain == "loan"]
        self.by_customer = [s for s in schemes if s.grain == "customer"]
        # Facts that change only with a new version of the attributes or with a year gone by; see customer_month.sql.
        attributes = read_contract().table("customer").columns.values()
        self.slow = {c.name for c in attributes} | {"age", "years_payroll", "family_monthly_income"}
        self.five = next(s for s in schemes if s.id == "loan_five")

    def run(self, months: Sequence[date], progress: Callable[[date], None]) -> None:
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
        for number, month in enumerate(months):
            self._month(month, is_first=number == 0)
            progress(month)

    def _filled(self, table: str) -> bool:
        return self.shop.one(f"select exists (select 1 from {table})", table)[0]

    def _make_tables(self) -> None:
        self.shop.views()
        contract = read_contract()
        codes = {
            column.name: enum(column)
            for table in ("customer", "loan")
            for column in contract.table(table).columns.values()
            if column.values
        }
        self._sql("tables.sql", **codes)
        self._keep_rulebooks()
        self.columns = {
            mart: [
                name
                for name in self.shop.frame(
                    "select column_name from duckdb_columns() "
                    "where database_name = 'part' and table_name = :mart order by column_index",
                    "columns",
                    mart=mart,
                )["column_name"]
                if name != "as_of"
            ]
            for mart in ("loan_month", "customer_month")
        }
        for scheme in [*self.by_loan, *self.by_customer]:
            for mart in ("loan_month", "customer_month"):
                for end in self._ends(scheme, mart):
                    self.shop.run(f"alter table part.kept.{mart} add column {scheme.id}{end} {_classes(scheme)}", mart)
        self.attributes = ", ".join(
            ["customer_key", "valid_from", "branch_key", "manager_key"]
            + [
                c.name
                for c in contract.table("customer").columns.values()
                if not c.is_personal and c.type != "key" and c.name != "valid_from"
            ]
        )
        self.shop.run(
            f"create or replace temp table customer_now as select {self.attributes} from customer limit 0",
            "customer_now",
        )
        self.shop.run(
            "create or replace temp table product_codes as "
            "select product_key, enum_code(family)::integer as family_code from product",
            "product_codes",
        )
        self.shop.views()

    def _keep_rulebooks(self) -> None:
        """The text of every rulebook that grades this part: what is in force for it whatever becomes of the files."""
        for scheme in [*self.by_loan, *self.by_customer]:
            for book in scheme.editions:
                self.shop.run(
                    "insert into part.head.rulebook values (:scheme, :effective_on, :digest, :text)",
                    "rulebook",
                    scheme=scheme.id,
                    effective_on=book.effective_on,
                    digest=book.digest,
                    text=book.text,
                )

    @staticmethod
    def _ends(scheme, mart: str) -> tuple[str, ...]:
        """The class columns of a scheme in a mart: today's, and at the openings for the boards' schemes."""
        if scheme.id in BOARDS:
            return ("", *(f"_{back}" for back in OPENINGS))
        return ("",) if mart == "customer_month" or scheme.grain == "loan" else ()

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
            **{f"opened_{back}": month_end(month, -back) for back in OPENINGS},
            "has_deposits": self.has_deposits,
            "has_signals": self.has_signals,
            "is_first": is_first,
            "is_opening": is_first and self.opening,
            "last_loan_key": self.last_loan_key,
            **{key: value for key, value in assumed.items() if isinstance(value, float)},
        }
        if is_first:
            self._sql("loan_now.sql")
        self._class_values(assumed)
        if self.has_events:
            for name in ("instalment_due.sql", "loan_due.sql", "instalment_open.sql", "first_payment.sql"):
                self._sql(name)
            self._sql("instalment_open_rows.sql")
        self._sql(
            "loan_values.sql",
            facts=(MARTS / ("loan_facts.sql" if self.has_events else "loan_snapshot_facts.sql")).read_text(
                encoding="utf-8"
            ),
            dates=fragment("loan_dates"),
            graded=_graded(self.by_loan, month),
        )
        self._sql("customer_now.sql", attributes=self.attributes)
        self._sql(
            "customer_facts.sql",
            worst=",\n        ".join(f"max({s.id}) filter (where balance > 0) as {s.id}" for s in self.by_loan),
            worst_of=",\n        ".join(f"borrowed.{s.id}" for s in self.by_loan),
            signals=fragment("customer_signals"),
            signals_known=fragment("customer_signals_known"),
        )
        self._sql("customer_percentile.sql")
        openings = ("", *(f"_{back}" for back in OPENINGS))
        self._sql(
            "customer_month.sql",
            own=", ".join(f"{s.id}" for s in self.by_loan),
            attributes=fragment("customer_attributes"),
            before=_lines([f"one.{s.id} as {s.id}_before" for s in [*self.by_customer, *self.by_loan]]),
            graded=_lines([self._graded_customer(s, month, is_first) for s in self.by_customer]),
            columns=_lines([f"customer.{name}" for name in self.columns["customer_month"]]),
            classes=_lines(
                [f"customer.{s.id}" for s in self.by_customer]
                + [f"coalesce(customer.worst_{s.id}, {_code(s, NONE)}) as {s.id}" for s in self.by_loan]
                + [_was(s, 1, f"customer.{s.id}_before") for s in self.boards]
                + [_was(s, back) for s in self.boards for back in OPENINGS[1:]]
            ),
        )
        self._sql(
            "loan_month.sql",
            columns=_lines([f"loan.{name}" for name in self.columns["loan_month"]]),
            classes=_lines(
                [f"loan.{s.id}" for s in self.by_loan]
                + [_was(s, back) for s in self.by_loan if s in self.boards for back in OPENINGS]
                + [f"customer.{s.id}{end}" for s in self.by_customer if s in self.boards for end in openings]
            ),
        )
        for grain in CUBES:
            self._cubes(grain, is_first)

    def _graded_customer(self, scheme, month: date, is_first: bool) -> str:
        """The class of the day. Where all facts of the scheme are slow and none is new, last month's class stands."""
        book, graded = _in_force(scheme, month), _class_sql(scheme, month)
        if not is_first and book and book is _in_force(scheme, month_end(month, -1)) and set(book.facts) <= self.slow:
            graded = f"case when is_slow_fact_new then {graded} else {scheme.id}_before end"
        return f"{graded} as {scheme.id}"

    def _class_values(self, assumed: dict) -> None:
        """What a class of loan_five stands for this month: non-performing or not, its provision rate and PD."""
        self.shop.run(
            "create or replace temp table class_values (code varchar, npl boolean, pd double, provision double)",
            "class_values",
        )
        book = _in_force(self.five, self.bound["as_of"])
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

    def _cubes(self, grain: str, is_first: bool) -> None:
        """Additive sums of every declared metric of a mart, per scheme by its classes today and at the openings.

        The rows are summed once into cells of all schemes together; the cells, far fewer, are summed again by scheme.
        """
        measures: dict[str, str] = {}
        for metric in METRICS.values():
            if metric.source.id == f"{grain}_month" and metric.is_additive:
                measures |= metric.measures
        ends = ("", *(f"_{back}" for back in OPENINGS))
        keys = [f"{scheme.id}{end}" for scheme in self.boards for end in ends] + [*CUBES[grain]]
        self.shop.run(
            f"create or replace temp table cells as select {', '.join(keys)}, "
            f"{', '.join(f'{sql} as {name}' for name, sql in measures.items())} "
            f"from part.kept.{grain}_month as fact where as_of = :as_of group by {', '.join(keys)}",
            f"{grain}_cells",
            **self.bound,
        )
        types = {name: sql.rsplit("::", 1)[1] for name, sql in measures.items()}
        for scheme in self.boards:
            columns = ", ".join([*(f"{scheme.id}{end}" for end in ends), *CUBES[grain]])
            cube = f"part.kept.cube_{grain}_{scheme.id}"
            self.shop.run(
                (f"create table {cube} as " if is_first else f"insert into {cube} ")
                + f"select cast(:as_of as date) as as_of, {columns}, "
                + ", ".join(f"sum({name})::{kind} as {name}" for name, kind in types.items())
                + f" from cells group by {columns}",
                cube,
                **self.bound,
            )

    def _sql(self, name: str, **put: str) -> None:
        text = (MARTS / name).read_text(encoding="utf-8")
        for key, sql in put.items():
            text = text.replace("{" + key + "}", sql)
        self.shop.run(text, name, **getattr(self, "bound", {}))


def _classes(scheme) -> str:
    """The enum of a scheme: the classes of all its editions, best first, then what stands for no class."""
    return "enum(" + ", ".join(f"'{code}'" for code in (*scheme.class_codes, NONE, NEW)) + ")"


def _in_force(scheme, as_of: date):
    """The scheme's edition of that day; None before its first one and after a repeal."""
    try:
        return scheme.edition(as_of)
    except rulebooks.NoEdition:
        return None


def _graded(schemes, as_of: date) -> str:
    return _lines([f"{_class_sql(s, as_of)} as {s.id}" for s in schemes])


def _class_sql(scheme, as_of: date) -> str:
    book = _in_force(scheme, as_of)
    return f"cast({book.to_sql()} as {_classes(scheme)})" if book else _code(scheme, rulebooks.UNRATED)


def _code(scheme, code: str) -> str:
    return f"cast('{code}' as {_classes(scheme)})"


def _was(scheme, back: int, column: str | None = None) -> str:
    column = column or f"{ {1: 'one', 3: 'three', 12: 'twelve'}[back] }.{scheme.id}"
    return f"coalesce({column}, {_code(scheme, NEW)}) as {scheme.id}_{back}"


def _lines(items: Sequence[str]) -> str:
    return ",\n    ".join(items)
