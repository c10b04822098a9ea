"""Codes, flags and counts of one row, packed into one unsigned integer of 64 bits.

Writing a value into a DuckDB table costs 20 to 40 ns whatever its width, so a mart row stores its
enums, booleans and small counts as a few integers (decision 13). A reader does not see them: the
views show each field as a column (current.computed_columns, see data/editions/connection.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from analytics.marts.columns import MaskedArray
from data.contract.tables import sql_literal
from data.errors import UserError

WIDTH = 64


class Field(Protocol):
    """One value of a row: its name, its width, and how it is encoded and decoded."""

    @property
    def name(self) -> str:
        """The column of the views."""
        ...

    @property
    def bits(self) -> int:
        """The width in bits."""
        ...

    @property
    def meaning(self) -> str:
        """Which values the field has, in words."""
        ...

    def encode_sql(self, value: str) -> str:
        """Return SQL for `value` (SQL) as an unsigned number of `bits` bits."""
        ...

    def encode(self, column: MaskedArray) -> np.ndarray:
        """Return the values of a column as unsigned numbers of `bits` bits, shape (slots,)."""
        ...

    def decode_sql(self, number: str) -> str:
        """Return SQL for the value of `number` (SQL, the bits of this field alone)."""
        ...


@dataclass(frozen=True)
class Code:
    """A value of an enum, or null."""

    name: str
    values: tuple[str, ...]

    @property
    def bits(self) -> int:
        """The width in bits: all ones stands for null, a list position beyond the last value."""
        return len(self.values).bit_length()

    @property
    def meaning(self) -> str:
        """The values in the order of their numbers."""
        return ", ".join(self.values)

    @property
    def type(self) -> str:
        """The enum type in SQL."""
        return enum_type(self.values)

    def number(self, value: str) -> int:
        """Return the number of a value."""
        return self.values.index(value)

    def encode_sql(self, value: str) -> str:
        """Return SQL for the number of `value` (SQL)."""
        return f"coalesce(enum_code(cast({value} as {self.type})), {_all_ones(self.bits)})"

    def encode(self, column: MaskedArray) -> np.ndarray:
        """Return the numbers of a text column; raises UserError for a text that is no value."""
        if unexpected := set(column.categories) - set(self.values):
            raise UserError("value_outside_code_list", name=self.name, unheard=sorted(unexpected))
        numbers = [self.number(category) for category in column.categories]
        codes = np.array([*numbers, _all_ones(self.bits)], np.uint8)
        return codes[column.fill_null(len(column.categories))]

    def decode_sql(self, number: str) -> str:
        """Return SQL for the value of a number."""
        values = ", ".join(sql_literal(value) for value in self.values)
        return f"cast([{values}] as {self.type}[])[({number})::integer + 1]"


@dataclass(frozen=True)
class Flag:
    """True or false; with `may_be_null` also null."""

    name: str
    may_be_null: bool = False

    @property
    def bits(self) -> int:
        """The width in bits: with null two, null is 3."""
        return 2 if self.may_be_null else 1

    @property
    def meaning(self) -> str:
        """Which values the field has."""
        return "true, false or null" if self.may_be_null else "true or false"

    def encode_sql(self, value: str) -> str:
        """Return SQL for `value` as 0, 1 or 3 (null)."""
        number = f"({value})::utinyint"
        return f"coalesce({number}, 3)" if self.may_be_null else number

    def encode(self, column: MaskedArray) -> np.ndarray:
        """Return a column as 0, 1 or 3; raises UserError for a null that may not be."""
        values = column.values.astype(np.uint8, copy=False)
        if column.valid is None or column.valid.all():
            return values
        if not self.may_be_null:
            raise UserError("value_missing_in_column", name=self.name)
        return np.where(column.valid, values, np.uint8(3))

    def decode_sql(self, number: str) -> str:
        """Return SQL for the value of a number."""
        if not self.may_be_null:
            return f"{number} = 1"
        return f"case {number} when 0 then false when 1 then true end"


@dataclass(frozen=True)
class Count:
    """A whole number from 0 to 2**bits - 2, or null; a larger one stops the build."""

    name: str
    bits: int
    type: str = "smallint"

    @property
    def meaning(self) -> str:
        """The range of the values."""
        return f"0 to {self.maximum:,} or null"

    @property
    def maximum(self) -> int:
        """The largest value."""
        return _all_ones(self.bits) - 1

    def encode_sql(self, value: str) -> str:
        """Return SQL for `value` as a number; its query fails where the value is too large."""
        null = _all_ones(self.bits)
        message = f"'{self.name} is above {self.maximum}'"
        fits = f"when {value} < {null} then ({value})::ubigint"
        return f"case when {value} is null then {null} {fits} else error({message}) end"

    def encode(self, column: MaskedArray) -> np.ndarray:
        """Return a column as numbers; raises UserError for a value that does not fit."""
        is_too_large = column.values.max(initial=0) > self.maximum
        if is_too_large or column.values.min(initial=0) < 0:
            raise UserError("value_outside_bit_field", name=self.name, most=self.maximum)
        return column.fill_null(_all_ones(self.bits))

    def decode_sql(self, number: str) -> str:
        """Return SQL for the value of a number."""
        return f"nullif({number}, {_all_ones(self.bits)})::{self.type}"


@dataclass(frozen=True)
class BitField:
    """Fields in one unsigned column of 64 bits, the first in the lowest bits.

    Raises
    ------
    ValueError
        The fields do not fit.
    """

    column: str
    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        if sum(field.bits for field in self.fields) > WIDTH:
            raise ValueError(f"{self.column}: more than {WIDTH} bits")

    def encode_sql(
        self, values: Mapping[str, str], numbers: Mapping[str, str] | None = None
    ) -> str:
        """Return SQL for the packed integer.

        Parameters
        ----------
        values
            SQL of the value of each field.
        numbers
            SQL of the encoded number of fields that are not in `values`.
        """
        numbers = numbers or {}
        terms = []
        for field, offset in self.offsets():
            number = numbers.get(field.name) or field.encode_sql(values[field.name])
            term = f"({number})::ubigint"
            terms.append(f"({term} << {offset})" if offset else term)
        return " | ".join(terms)

    def encode(
        self, columns: Mapping[str, MaskedArray], numbers: Mapping[str, np.ndarray] | None = None
    ) -> np.ndarray:
        """Return the packed integers of columns in memory, shape (slots,), uint64.

        Parameters
        ----------
        columns
            The values of each field; a field that is neither here nor in `numbers` stays 0.
        numbers
            Encoded numbers of fields, shape (slots,); they take precedence over `columns`.

        Raises
        ------
        UserError
            A value does not fit in its field.
        """
        numbers = numbers or {}
        result: np.ndarray | None = None
        for field, offset in self.offsets():
            if field.name in numbers:
                values = numbers[field.name]
            elif field.name in columns:
                values = field.encode(columns[field.name])
            else:
                continue
            bits = values.astype(np.uint64)
            bits <<= np.uint64(offset)
            result = bits if result is None else np.bitwise_or(result, bits, out=result)
        if result is None:
            raise ValueError(f"{self.column}: no values")
        return result

    def encode_field_sql(self, field: Field, value: str) -> str:
        """Return SQL for the packed integer of one field alone, with 0 in the others."""
        return f"(({field.encode_sql(value)})::ubigint << {self.offset(field)})"

    def decode_sql(self, field: Field, qualifier: str = "") -> str:
        """Return SQL for a field of the column; `qualifier` is a table alias with its dot."""
        number = slice_bits(f"{qualifier}{self.column}", self.offset(field), field.bits)
        return field.decode_sql(number)

    def offset(self, field: Field) -> int:
        """Return the lowest bit of a field."""
        return next(offset for other, offset in self.offsets() if other == field)

    def computed_columns(self) -> list[tuple[str, str]]:
        """Return the columns of the views: name and SQL over this column."""
        return [(field.name, self.decode_sql(field)) for field in self.fields]

    def slice_sql(self, names: Iterable[str]) -> str:
        """Return SQL for some adjacent fields as one number, with the first of them lowest."""
        mask = self.mask(names)
        offset = (mask & -mask).bit_length() - 1
        return slice_bits(self.column, offset, (mask >> offset).bit_length())

    def mask(self, names: Iterable[str]) -> int:
        """Return a number with ones in the bits of some fields."""
        members = set(names)
        return sum(
            _all_ones(field.bits) << offset
            for field, offset in self.offsets()
            if field.name in members
        )

    def offsets(self) -> Iterator[tuple[Field, int]]:
        """Yield each field with its lowest bit."""
        offset = 0
        for field in self.fields:
            yield field, offset
            offset += field.bits


def slice_bits(number: str, offset: int, count: int) -> str:
    """Return SQL for `count` bits of a number (SQL) from the bit `offset` up."""
    return f"(({number} >> {offset}) & {_all_ones(count)})"


def pack_fields(column: str, fields: Iterable[Field]) -> list[BitField]:
    """Return fields in as many columns as they need: `column`, `column_2`, `column_3` …"""
    groups: list[list[Field]] = [[]]
    for field in fields:
        if sum(other.bits for other in groups[-1]) + field.bits > WIDTH:
            groups.append([])
        groups[-1].append(field)
    return [
        BitField(column if number == 1 else f"{column}_{number}", tuple(group))
        for number, group in enumerate(groups, 1)
    ]


def enum_type(values: Iterable[str]) -> str:
    """Return the enum type of some values in SQL."""
    return f"enum({', '.join(sql_literal(value) for value in values)})"


def _all_ones(bits: int) -> int:
    return 2**bits - 1
