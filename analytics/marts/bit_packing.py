"""Small codes of one row kept together in one integer.

Writing a value into a DuckDB table costs 20 to 40 ns whatever its width, so a mart row writes its enums, booleans and
small counts as a few unsigned integers. A reader sees none of it: the views show each of them as a column
(`current.computed_columns`, see data/editions/connection.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from analytics.marts.columns import MaskedArray
from data.contract.tables import sql_literal
from data.errors import UserError

WIDTH = 64


class Field(Protocol):
    """One value: its name, the bits it takes, and how it is put in and read back."""

    name: str

    @property
    def bits(self) -> int: ...

    def put(self, value: str) -> str:
        """`value` (SQL) as an unsigned number of `bits` bits."""

    def numbers(self, column: MaskedArray) -> np.ndarray:
        """As `put`, of the values of a column in memory."""

    def read(self, number: str) -> str:
        """`number` (SQL, the field's bits alone) as the value."""


@dataclass(frozen=True)
class Code:
    """A value of an enum, or null."""

    name: str
    values: tuple[str, ...]

    @property
    def bits(self) -> int:
        # All ones stands for null: list positions beyond the last value read as null.
        return len(self.values).bit_length()

    @property
    def type(self) -> str:
        return enum_of(self.values)

    def number(self, value: str) -> int:
        return self.values.index(value)

    def put(self, value: str) -> str:
        return f"coalesce(enum_code(cast({value} as {self.type})), {2**self.bits - 1})"

    def numbers(self, column: MaskedArray) -> np.ndarray:
        if unheard := set(column.words) - set(self.values):
            raise UserError("value_outside_code_list", name=self.name, unheard=sorted(unheard))
        codes = np.array(
            [*(self.number(word) for word in column.words), 2**self.bits - 1], np.uint8
        )
        return codes[column.filled(len(column.words))]

    def read(self, number: str) -> str:
        listed = ", ".join(sql_literal(value) for value in self.values)
        return f"cast([{listed}] as {self.type}[])[({number})::integer + 1]"


@dataclass(frozen=True)
class Flag:
    """True or false; with `may_be_null` also null."""

    name: str
    may_be_null: bool = False

    @property
    def bits(self) -> int:
        return 2 if self.may_be_null else 1

    def put(self, value: str) -> str:
        return f"coalesce(({value})::utinyint, 3)" if self.may_be_null else f"({value})::utinyint"

    def numbers(self, column: MaskedArray) -> np.ndarray:
        values = column.values.astype(np.uint8, copy=False)
        if column.known is None or column.known.all():
            return values
        if not self.may_be_null:
            raise UserError("value_missing_in_column", name=self.name)
        return np.where(column.known, values, np.uint8(3))

    def read(self, number: str) -> str:
        return (
            f"case {number} when 0 then false when 1 then true end"
            if self.may_be_null
            else f"{number} = 1"
        )


@dataclass(frozen=True)
class Count:
    """A whole number from 0 to 2**bits - 2, or null. A larger one stops the build: nothing is cut off."""

    name: str
    bits: int
    type: str = "smallint"

    def put(self, value: str) -> str:
        most = 2**self.bits - 1
        told = f"'{self.name} is above {most - 1}'"
        fits = f"when {value} < {most} then ({value})::ubigint"
        return f"case when {value} is null then {most} {fits} else error({told}) end"

    def numbers(self, column: MaskedArray) -> np.ndarray:
        most = 2**self.bits - 1
        if column.values.max(initial=0) >= most or column.values.min(initial=0) < 0:
            raise UserError("value_outside_bit_field", name=self.name, most=most - 1)
        return column.filled(most)

    def read(self, number: str) -> str:
        return f"nullif({number}, {2**self.bits - 1})::{self.type}"


@dataclass(frozen=True)
class BitField:
    """Fields in one unsigned column of 64 bits, the first in the lowest. Raises ValueError when they do not fit."""

    column: str
    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        if sum(field.bits for field in self.fields) > WIDTH:
            raise ValueError(f"{self.column}: more than {WIDTH} bits")

    def put(self, values: Mapping[str, str], numbers: Mapping[str, str] = {}) -> str:
        """The packed number; `values` gives the SQL of each field, `numbers` of those that are numbers already."""
        told = []
        for field, low in self._places():
            number = numbers.get(field.name) or field.put(values[field.name])
            told.append(f"(({number})::ubigint << {low})" if low else f"({number})::ubigint")
        return " | ".join(told)

    def pack(
        self, columns: Mapping[str, MaskedArray], numbers: Mapping[str, np.ndarray] = {}
    ) -> np.ndarray:
        """As `put`, of columns in memory; a field of neither stays 0."""
        packed = None
        for field, low in self._places():
            if field.name not in numbers and field.name not in columns:
                continue
            told = (
                numbers[field.name] if field.name in numbers else field.numbers(columns[field.name])
            )
            moved = told.astype(np.uint64)
            moved <<= np.uint64(low)
            packed = moved if packed is None else np.bitwise_or(packed, moved, out=packed)
        return packed

    def put_one(self, field: Field, value: str) -> str:
        """One field alone in its place."""
        return f"(({field.put(value)})::ubigint << {self.low(field)})"

    def read(self, field: Field, of: str = "") -> str:
        """One field out of the column, qualified by `of` where given."""
        return field.read(bits(f"{of}{self.column}", self.low(field), field.bits))

    def low(self, field: Field) -> int:
        """The lowest bit of a field."""
        return next(low for found, low in self._places() if found == field)

    def derived(self) -> list[tuple[str, str]]:
        """What stands in the views for the fields: name and SQL over the column."""
        return [(field.name, self.read(field)) for field in self.fields]

    def together(self, names: Iterable[str]) -> str:
        """Some fields that stand side by side, as one number in which they stand as here."""
        mask = self.mask(names)
        low = (mask & -mask).bit_length() - 1
        return bits(self.column, low, (mask >> low).bit_length())

    def mask(self, names: Iterable[str]) -> int:
        """The bits of some fields."""
        wanted = set(names)
        return sum(
            (2**field.bits - 1) << low for field, low in self._places() if field.name in wanted
        )

    def _places(self) -> list[tuple[Field, int]]:
        low, found = 0, []
        for field in self.fields:
            found.append((field, low))
            low += field.bits
        return found


def bits(number: str, low: int, count: int) -> str:
    """`count` bits of a number (SQL) from the bit `low` up."""
    return f"(({number} >> {low}) & {2**count - 1})"


def packed(column: str, fields: Iterable[Field]) -> list[BitField]:
    """Fields in as many columns as they need: `column`, `column_2`, `column_3` …"""
    groups: list[list[Field]] = [[]]
    for field in fields:
        if sum(one.bits for one in groups[-1]) + field.bits > WIDTH:
            groups.append([])
        groups[-1].append(field)
    return [
        BitField(column if number == 1 else f"{column}_{number}", tuple(group))
        for number, group in enumerate(groups, 1)
    ]


def enum_of(values: Iterable[str]) -> str:
    return f"enum({', '.join(sql_literal(value) for value in values)})"
