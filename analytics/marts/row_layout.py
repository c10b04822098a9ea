"""How the rows of the marts are laid out: which codes, flags, counts and classes share an integer
(analytics/marts/bit_packing.py), and the numbers that stand for classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from analytics import rulebooks
from analytics.marts.bit_packing import BitField, Code, Count, Flag, bits, enum_of, packed
from analytics.marts.columns import MaskedArray
from analytics.metrics.definitions import BORROWER
from analytics.rulebooks.schemes import BOARDS, OPENINGS, class_codes, in_force
from data.contract.schema import OTHER, read_contract

HISTORY_BITS = 4
_CLASS = np.uint64(2**HISTORY_BITS - 1)
_DIMENSIONS = {"loan": ["branch_key", "product_key"], "customer": ["branch_key"]}


class RowLayout:
    """How the codes, flags, counts and classes of the marts' rows are packed; see analytics/marts/bit_packing.py."""

    def __init__(self, by_loan: Sequence, by_customer: Sequence) -> None:
        contract = read_contract()

        def code(table: str, column: str) -> Code:
            values = contract.table(table).columns[column].values
            return Code(column, (*values, *([] if OTHER in values else [OTHER])))

        self.by_loan, self.by_customer = by_loan, by_customer
        self.loan_codes = [code("loan", name) for name in ("channel", "guarantee")]
        self.attributes = [
            code("customer", name)
            for name in (
                "kind",
                "gender",
                "education",
                "employment",
                "employer_kind",
                "credit_grade",
            )
        ]
        boards = [s for s in (*by_loan, *by_customer) if s.id in BOARDS]
        others = [s for s in (*by_loan, *by_customer) if s.id not in BOARDS]
        # In the order of customer_facts.reloan_bits.
        self.flags = [
            f"is_{what}_{days}" for what in ("settled", "reloaned") for days in (30, 90, 180, 365)
        ]
        # As wide as the rows of customer_month have them, to move there as one number; null where there is no such row.
        self.moved = (*self.attributes, Flag("has_payroll", may_be_null=True))
        told = (
            *self.moved,
            Flag("has_loan", may_be_null=True),
            Count("age", 8, "utinyint"),
            # The highest: mostly small, it lets the column be kept in fewer bits.
            Count("loans_settled", 16),
        )
        self.borrower = BitField(
            "traits", tuple(replace(field, name=f"{BORROWER}{field.name}") for field in told)
        )
        self.loan_traits = BitField(
            "traits",
            (
                *self.loan_codes,
                *(
                    Flag(name)
                    for name in ("is_rollover", "is_new", "is_settled", "is_newly_written_off")
                ),
                Flag("is_npl", may_be_null=True),
                Flag("is_first_payment_judged"),
                Flag("is_first_payment_missed", may_be_null=True),
                *self.borrower.fields,
            ),
        )
        self.traits = BitField("traits", (*(Flag(name) for name in self.flags), *self.moved))
        self.counts = BitField(
            "counts",
            (
                *(Count(name, 16) for name in ("loans_open", "loans_ever", "loans_settled")),
                Count("products_held", 8, "utinyint"),
                Count("contribution_percentile", 7, "utinyint"),
            ),
        )
        self.lateness = BitField(
            "lateness",
            (
                Count("max_days_past_due_6m", 20, "integer"),
                Count("max_days_past_due_12m", 20, "integer"),
                Count("months_past_due_6m", 4, "utinyint"),
                Count("months_past_due_12m", 4, "utinyint"),
                Count("count_instalments_late_in_a_row", 16),
            ),
        )
        # Those of the loan, of its borrower, and (for customers) of schemes that no board opens with.
        self.loan_classes = BitField(
            "loan_classes", tuple(_ends([s for s in boards if s.grain == "loan"]))
        )
        self.borrower_classes = BitField(
            "borrower_classes", tuple(_ends([s for s in boards if s.grain == "customer"]))
        )
        self.other_loan_classes = packed(
            "other_classes", [_today(s) for s in others if s.grain == "loan"]
        )
        self.other_classes = packed("other_classes", [_today(s) for s in others])

    def columns(self) -> dict[str, str]:
        """The columns that tables.sql leaves open."""
        return {
            mart: lines([f"{column.column} ubigint not null" for column in columns])
            for mart, columns in self._packed().items()
        }

    def derived(self) -> list[tuple[str, int, str, str]]:
        """The rows of head.derived for what is packed: mart, number, column, SQL."""
        return [
            (mart, number, name, sql)
            for mart, columns in self._packed().items()
            for number, (name, sql) in enumerate(
                told for column in columns for told in column.derived()
            )
        ]

    def _packed(self) -> dict[str, list[BitField]]:
        found = {
            "loan_month": [
                self.loan_traits,
                self.loan_classes,
                self.borrower_classes,
                *self.other_loan_classes,
            ],
            "customer_month": [
                self.traits,
                self.counts,
                self.lateness,
                self.loan_classes,
                self.borrower_classes,
                *self.other_classes,
            ],
        }
        return {
            mart: [column for column in columns if column.fields] for mart, columns in found.items()
        }

    def loan_row(
        self, loans: Mapping[str, MaskedArray], classes: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """The packed columns of the rows of loan_month but for `borrower_told`; `classes` are the numbers of today's
        classes of each scheme.
        """
        numbers = dict(classes) | _openings(self.by_loan, loans, back=1)
        return {column.column: column.pack(loans, numbers) for column in self._of_loans()}

    def loan_columns(self) -> list[str]:
        """The packed columns of loan_month that `loan_row` tells whole."""
        return [column.column for column in self._of_loans() if column is not self.loan_traits]

    def _of_loans(self) -> list[BitField]:
        return [
            c for c in (self.loan_traits, self.loan_classes, *self.other_loan_classes) if c.fields
        ]

    def borrower_told(self) -> dict[str, str]:
        """What `loan_row` leaves open, out of the borrower's row: what is asked of it, and the row's traits and classes
        with it.
        """
        classes = self.borrower_classes
        # All ones where the borrower has no row yet: null, and no class.
        told = (
            f"coalesce(customer.traits, {self.borrower.mask(f.name for f in self.borrower.fields)})"
        )
        return {
            "borrower": f"{self._told()} as {self.borrower.column}",
            "traits": f"loan.traits | ({told} << {self.loan_traits.low(self.borrower.fields[0])}) as traits",
            "borrower_classes": f"coalesce(customer.{classes.column}, "
            f"{classes.mask(f.name for f in classes.fields)}) as {classes.column}",
        }

    def _told(self) -> str:
        """What a loan's row tells of its borrower, out of the borrower's row."""
        moved = _as_one(
            self.borrower.fields[: len(self.moved)],
            self.traits.together(f.name for f in self.moved),
        )
        settled = {f"{BORROWER}loans_settled": self.counts.together(["loans_settled"])}
        return self.borrower.put(
            {f"{BORROWER}has_loan": "loan_balance > 0", f"{BORROWER}age": "age"}, moved | settled
        )

    def customer_row(
        self, facts: Mapping[str, MaskedArray], classes: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """The packed columns of the rows of customer_month but for `payroll`; `classes` are the numbers of today's
        classes of each scheme.
        """
        numbers = dict(classes) | {self.flags[0]: facts["reloan_bits"].values}
        numbers |= _openings((*self.by_loan, *self.by_customer), facts, back=0)
        return {
            column.column: column.pack(facts, numbers)
            for column in self._packed()["customer_month"]
        }

    def customer_columns(self) -> list[str]:
        """The packed columns of customer_month that `customer_row` tells whole."""
        return [
            column.column
            for column in self._packed()["customer_month"]
            if column is not self.traits
        ]

    def payroll(self) -> str:
        """What `customer_row` leaves open in traits: what a date says on the day of the row."""
        return self.traits.put_one(self.moved[-1], "has_payroll")

    def cell_keys(self, grain: str) -> dict[str, str]:
        """What the cells of a cube are grouped by: name and SQL over `fact`."""
        names = (self.loan_classes.column, self.borrower_classes.column, *_DIMENSIONS[grain])
        keys = {name: f"fact.{name}" for name in names}
        if grain == "loan":
            mask = self.loan_traits.mask(code.name for code in self.loan_codes)
            keys["traits"] = f"(fact.traits & {mask})"
        return keys

    def cube_columns(self, grain: str, scheme) -> tuple[list[str], list[str]]:
        """What the cells of a scheme's cube are grouped by, and the cube's columns."""
        classes = self.loan_classes if scheme.grain == "loan" else self.borrower_classes
        by, shown = [classes.column, *_DIMENSIONS[grain]], []
        shown += [
            f"{classes.read(field)} as {field.name}"
            for field in classes.fields
            if _of(field, scheme)
        ]
        shown += _DIMENSIONS[grain]
        if grain == "loan":
            by.append("traits")
            shown += [f"{self.loan_traits.read(code)} as {code.name}" for code in self.loan_codes]
        return by, shown


def _ends(schemes: Sequence) -> list[Code]:
    """The class columns of the boards' schemes: today's, and those at the openings."""
    return [
        Code(f"{s.id}{end}", tuple(class_codes(s)))
        for s in schemes
        for end in ("", *(f"_{back}" for back in OPENINGS))
    ]


def _openings(
    schemes: Sequence, facts: Mapping[str, MaskedArray], back: int
) -> dict[str, np.ndarray]:
    """The numbers of the classes at the openings; the lowest classes of the histories are last month's, or with `back`
    1 those of the month itself.
    """
    return {
        f"{s.id}_{months}": facts[f"history_{s.id}"].values
        >> np.uint64(HISTORY_BITS * (months - 1 + back))
        & _CLASS
        for s in schemes
        if s.id in BOARDS
        for months in OPENINGS
    }


def _as_one(fields: Sequence, number: str) -> dict[str, str]:
    """Fields side by side that come as one number, which takes all their places at once."""
    return {field.name: number if field is fields[0] else "0" for field in fields}


def _today(scheme) -> Code:
    return Code(scheme.id, tuple(class_codes(scheme)))


def _of(field: Code, scheme) -> bool:
    return field.name in (scheme.id, *(f"{scheme.id}_{back}" for back in OPENINGS))


def class_code(scheme, sql: str) -> str:
    """The number of a class in the order of `class_codes`."""
    return f"enum_code(cast({sql} as {class_type(scheme)}))"


def recoded(history: str, before: Sequence[str], now: Sequence[str]) -> str:
    """A history in the numbers of `now` where it was written in those of `before`; a class that is gone is unrated."""
    if list(before) == list(now):
        return history
    told = [now.index(name) if name in now else now.index(rulebooks.UNRATED) for name in before]
    listed = f"[{', '.join(str(code) for code in told)}]"
    return " | ".join(
        f"({listed}[{bits(history, low, HISTORY_BITS)}::integer + 1]::ubigint << {low})"
        for low in range(0, 12 * HISTORY_BITS, HISTORY_BITS)
    )


def class_type(scheme) -> str:
    """The enum of a scheme: the classes of all its editions, best first, then what stands for no class."""
    return enum_of(class_codes(scheme))


def class_number(scheme, as_of: date) -> str:
    """The class of the day as its number in the order of `class_codes`: no text is made on the way."""
    book, codes = in_force(scheme, as_of), class_codes(scheme)
    number = (
        book.to_sql(written=lambda code: str(codes.index(code)))
        if book
        else codes.index(rulebooks.UNRATED)
    )
    return f"cast({number} as utinyint)"


def lines(items: Sequence[str]) -> str:
    return ",\n    ".join(items)
