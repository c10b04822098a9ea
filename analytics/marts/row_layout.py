"""Row layout of the marts: which codes, flags, counts and classes share which packed column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from analytics.marts.bit_packing import BitField, Code, Count, Field, Flag, pack_fields
from analytics.marts.class_sql import HISTORY_BITS
from analytics.marts.columns import MaskedArray
from analytics.metrics.definitions import BORROWER_PREFIX
from analytics.rulebooks import Scheme
from analytics.rulebooks.schemes import BOARDS, OPENINGS, class_codes
from data.contract.schema import OTHER, read_contract

_CLASS_MASK = np.uint64(2**HISTORY_BITS - 1)
_DIMENSIONS = {"loan": ["branch_key", "product_key"], "customer": ["branch_key"]}
_LOAN_CODES = ("channel", "guarantee")
_CUSTOMER_CODES = (
    "kind",
    "gender",
    "education",
    "employment",
    "employer_kind",
    "credit_grade",
)
# In the order of the bits of reloan_bits (customer_events.sql).
_RELOAN_FLAGS = tuple(
    f"is_{event}_{days}" for event in ("settled", "reloaned") for days in (30, 90, 180, 365)
)


class RowLayout:
    """The packed columns of both marts (analytics/marts/bit_packing.py).

    Parameters
    ----------
    loan_schemes, customer_schemes
        The schemes that grade loans and customers.
    """

    def __init__(self, loan_schemes: Sequence[Scheme], customer_schemes: Sequence[Scheme]) -> None:
        self.loan_schemes = loan_schemes
        self.customer_schemes = customer_schemes
        self.loan_codes = [_contract_code("loan", name) for name in _LOAN_CODES]
        self.customer_codes = [_contract_code("customer", name) for name in _CUSTOMER_CODES]
        # Null in a row of loan_month whose borrower has no row in customer_month.
        self.payroll = Flag("has_payroll", may_be_null=True)
        # Adjacent and of the same width in both marts, so that they are copied as one number.
        self.shared_fields = (*self.customer_codes, self.payroll)
        self.borrower = self._borrower_field()
        self.loan_flags = self._loan_flags_field()
        self.customer_flags = BitField(
            "flags_packed",
            (*map(Flag, _RELOAN_FLAGS), *self.shared_fields, Flag("is_new_borrower")),
        )
        self.counts = BitField(
            "counts_packed",
            (
                Count("loans_open", 16),
                Count("loans_ever", 16),
                Count("loans_settled", 16),
                Count("products_held", 8, "utinyint"),
                Count("contribution_percentile", 7, "utinyint"),
            ),
        )
        self.delinquency = BitField(
            "delinquency_packed",
            (
                Count("max_days_past_due_6m", 20, "integer"),
                Count("max_days_past_due_12m", 20, "integer"),
                Count("months_past_due_6m", 4, "utinyint"),
                Count("months_past_due_12m", 4, "utinyint"),
                Count("count_instalments_late_in_a_row", 16),
            ),
        )
        boards = [s for s in (*loan_schemes, *customer_schemes) if s.id in BOARDS]
        others = [s for s in (*loan_schemes, *customer_schemes) if s.id not in BOARDS]
        self.loan_classes = BitField(
            "loan_classes_packed", _classes_with_openings(s for s in boards if s.grain == "loan")
        )
        self.borrower_classes = BitField(
            "borrower_classes_packed",
            _classes_with_openings(s for s in boards if s.grain == "customer"),
        )
        # Classes of the schemes that no board opens with, without their openings.
        self.other_loan_classes = pack_fields(
            "other_classes_packed", [_class_field(s) for s in others if s.grain == "loan"]
        )
        self.other_classes = pack_fields("other_classes_packed", [_class_field(s) for s in others])

    def _borrower_field(self) -> BitField:
        """Return the customer columns that a row of loan_month repeats."""
        fields: tuple[Field, ...] = (
            *(replace(code, name=f"{BORROWER_PREFIX}{code.name}") for code in self.customer_codes),
            replace(self.payroll, name=f"{BORROWER_PREFIX}{self.payroll.name}"),
            Flag(f"{BORROWER_PREFIX}has_loan", may_be_null=True),
            Count(f"{BORROWER_PREFIX}age", 8, "utinyint"),
            # Highest, because it is mostly small: DuckDB then stores the column in fewer bits.
            Count(f"{BORROWER_PREFIX}loans_settled", 16),
        )
        return BitField("flags_packed", fields)

    def _loan_flags_field(self) -> BitField:
        fields = (
            *self.loan_codes,
            Flag("is_rollover"),
            Flag("is_new"),
            Flag("is_settled"),
            Flag("is_newly_written_off"),
            Flag("is_npl", may_be_null=True),
            Flag("is_first_payment_assessed"),
            Flag("is_first_payment_missed", may_be_null=True),
            *self.borrower.fields,
        )
        return BitField("flags_packed", fields)

    def packed_columns(self) -> dict[str, list[BitField]]:
        """Return the packed columns of each mart, without those that have no field."""
        columns = {
            "loan_month": [
                self.loan_flags,
                self.loan_classes,
                self.borrower_classes,
                *self.other_loan_classes,
            ],
            "customer_month": [
                self.customer_flags,
                self.counts,
                self.delinquency,
                self.loan_classes,
                self.borrower_classes,
                *self.other_classes,
            ],
        }
        return {
            mart: [field for field in fields if field.fields] for mart, fields in columns.items()
        }

    def column_definitions(self) -> dict[str, str]:
        """Return the SQL of the placeholders of tables.sql: the packed columns of each mart."""
        return {
            mart: sql_list([f"{column.column} ubigint not null" for column in bit_fields])
            for mart, bit_fields in self.packed_columns().items()
        }

    def computed_columns(self) -> list[tuple[str, int, str, str]]:
        """Return the rows of computed_columns for packed fields: mart, number, column, SQL."""
        rows = []
        for mart, bit_fields in self.packed_columns().items():
            columns = [entry for column in bit_fields for entry in column.computed_columns()]
            rows += [(mart, number, name, sql) for number, (name, sql) in enumerate(columns)]
        return rows

    def bit_map(self) -> str:
        """Return a Markdown table of all packed fields: mart, column, bits, field, meaning."""
        lines = ["| mart | column | bits | field | meaning |", "|---|---|---|---|---|"]
        for mart, bit_fields in self.packed_columns().items():
            for column in bit_fields:
                for field, offset in column.offsets():
                    last = offset + field.bits - 1
                    bits = f"{offset}–{last}" if last > offset else f"{offset}"
                    lines.append(
                        f"| {mart} | {column.column} | {bits} | {field.name} | {field.meaning} |"
                    )
        return "\n".join(lines)

    def pack_loans(
        self, loans: Mapping[str, MaskedArray], classes: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Return the packed columns of loan_month without the part that `borrower_sql` adds.

        Parameters
        ----------
        loans
            The state of the loans, shape (loans,).
        classes
            The class number of each loan at the month end by scheme, shape (loans,).
        """
        numbers = dict(classes) | _opening_classes(self.loan_schemes, loans, months_back=1)
        bit_fields = (self.loan_flags, self.loan_classes, *self.other_loan_classes)
        return {
            column.column: column.encode(loans, numbers) for column in bit_fields if column.fields
        }

    def complete_loan_columns(self) -> list[str]:
        """Return the columns of `pack_loans` to which nothing is added."""
        bit_fields = (self.loan_classes, *self.other_loan_classes)
        return [column.column for column in bit_fields if column.fields]

    def borrower_sql(self) -> dict[str, str]:
        """Return the SQL of the placeholders of loan_month.sql that read the borrower's row."""
        classes = self.borrower_classes
        # All ones where the borrower has no row yet: null, and no class.
        no_borrower = self.borrower.mask(field.name for field in self.borrower.fields)
        no_class = classes.mask(field.name for field in classes.fields)
        offset = self.loan_flags.offset(self.borrower.fields[0])
        flags = f"coalesce(customer.flags_packed, {no_borrower})"
        return {
            "borrower": f"{self._borrower_fields_sql()} as {self.borrower.column}",
            "flags": f"loan.flags_packed | ({flags} << {offset}) as flags_packed",
            "borrower_classes": f"coalesce(customer.{classes.column}, {no_class}) "
            f"as {classes.column}",
        }

    def _borrower_fields_sql(self) -> str:
        """Return SQL for the borrower's fields as one number, over a row of customer_month."""
        shared = self.customer_flags.slice_sql(field.name for field in self.shared_fields)
        # The first field takes the number of all that are adjacent; the others add nothing.
        names = [field.name for field in self.borrower.fields[: len(self.shared_fields)]]
        numbers = dict.fromkeys(names, "0") | {names[0]: shared}
        numbers[f"{BORROWER_PREFIX}loans_settled"] = self.counts.slice_sql(["loans_settled"])
        values = {f"{BORROWER_PREFIX}has_loan": "loan_balance > 0", f"{BORROWER_PREFIX}age": "age"}
        return self.borrower.encode_sql(values, numbers)

    def pack_customers(
        self, facts: Mapping[str, MaskedArray], classes: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Return the packed columns of customer_month without the flag that `payroll_sql` adds.

        Parameters
        ----------
        facts
            The attributes and facts of the customers, shape (customers,).
        classes
            The class number of each customer at the month end by scheme, shape (customers,).
        """
        schemes = (*self.loan_schemes, *self.customer_schemes)
        numbers = dict(classes) | _opening_classes(schemes, facts, months_back=0)
        # The eight flags are adjacent: the first takes the number of all.
        numbers[_RELOAN_FLAGS[0]] = facts["reloan_bits"].values
        return {
            column.column: column.encode(facts, numbers)
            for column in self.packed_columns()["customer_month"]
        }

    def complete_customer_columns(self) -> list[str]:
        """Return the columns of `pack_customers` to which nothing is added."""
        bit_fields = self.packed_columns()["customer_month"]
        return [column.column for column in bit_fields if column is not self.customer_flags]

    def payroll_sql(self) -> str:
        """Return SQL for the packed flag has_payroll, which depends on the date of the row."""
        return self.customer_flags.encode_field_sql(self.payroll, "has_payroll")

    def cell_keys(self, grain: str) -> dict[str, str]:
        """Return what the cells of a cube are grouped by: name and SQL over alias `fact`."""
        names = (self.loan_classes.column, self.borrower_classes.column, *_DIMENSIONS[grain])
        keys = {name: f"fact.{name}" for name in names}
        if grain == "loan":
            mask = self.loan_flags.mask(code.name for code in self.loan_codes)
            keys[self.loan_flags.column] = f"(fact.{self.loan_flags.column} & {mask})"
        return keys

    def cube_columns(self, grain: str, scheme: Scheme) -> tuple[list[str], list[str]]:
        """Return the keys of a scheme's cube as the cells have them, and its columns as SQL."""
        classes = self.loan_classes if scheme.grain == "loan" else self.borrower_classes
        class_names = [code.name for code in _class_fields(scheme)]
        keys = [classes.column, *_DIMENSIONS[grain]]
        columns = [
            f"{classes.decode_sql(field)} as {field.name}"
            for field in classes.fields
            if field.name in class_names
        ]
        columns += _DIMENSIONS[grain]
        if grain == "loan":
            keys.append(self.loan_flags.column)
            columns += [
                f"{self.loan_flags.decode_sql(code)} as {code.name}" for code in self.loan_codes
            ]
        return keys, columns


def _contract_code(table: str, column: str) -> Code:
    values = read_contract().table(table).columns[column].values
    return Code(column, values if OTHER in values else (*values, OTHER))


def _class_field(scheme: Scheme) -> Code:
    return Code(scheme.id, tuple(class_codes(scheme)))


def _class_fields(scheme: Scheme) -> list[Code]:
    """Return the classes of a scheme at the month end and at the openings."""
    field = _class_field(scheme)
    return [field, *(replace(field, name=f"{scheme.id}_{months}") for months in OPENINGS)]


def _classes_with_openings(schemes: Iterable[Scheme]) -> tuple[Code, ...]:
    return tuple(field for scheme in schemes for field in _class_fields(scheme))


def _opening_classes(
    schemes: Sequence[Scheme], facts: Mapping[str, MaskedArray], months_back: int
) -> dict[str, np.ndarray]:
    """Return the class numbers at the openings by column name, from the histories.

    The lowest class of a history is last month's (`months_back` 0) or this month's (1).
    """
    return {
        f"{scheme.id}_{months}": facts[f"history_{scheme.id}"].values
        >> np.uint64(HISTORY_BITS * (months - 1 + months_back))
        & _CLASS_MASK
        for scheme in schemes
        if scheme.id in BOARDS
        for months in OPENINGS
    }


def sql_list(items: Sequence[str]) -> str:
    """Return a select list with one item per line."""
    return ",\n    ".join(items)
