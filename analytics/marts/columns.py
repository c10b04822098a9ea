"""In-memory column store of the mart build: a NumPy array per column, a slot per customer or loan.

    slot                 0        1        2        3
    customer_key         7        3        5        9       keys in order of arrival
                     +--------+--------+--------+--------+
    fees             |  1234  |    0   |   -1   |   100  |  values: int64, fen
                     |  True  |  False |  True  |  True  |  valid: slot 1 is null, its value 0
                     +--------+--------+--------+--------+
    account_type     |    0   |    1   |    1   |    0   |  values: int32, positions in categories
                     |               None                |  valid: no slot is null
                     +-----------------------------------+  categories: ("retail", "business")

The rows of a query are scattered into their slots, arithmetic runs on whole arrays, and the next
query reads the columns as an Arrow table that shares their memory (decision 27).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_EPOCH = date(1970, 1, 1)
MONEY = pa.decimal64(15, 2)
# DuckDB's threads share a relation by its batches.
_BATCH_ROWS = 122_880


@dataclass(frozen=True)
class MaskedArray:
    """One column: a value per slot, and which of the values are not null.

    Parameters
    ----------
    type
        Arrow type in which a query reads the values.
    values
        Numbers, shape (slots,), 0 where null. Money is in fen, a date in days since 1970-01-01, a
        text is the position of its category.
    valid
        Booleans, shape (slots,), False where null; None when no value is null.
    categories
        The texts of a text column.
    """

    type: pa.DataType
    values: np.ndarray
    valid: np.ndarray | None = None
    categories: tuple[str, ...] = ()

    @classmethod
    def from_arrow(cls, column: pa.ChunkedArray) -> MaskedArray:
        """Read a column of a query result.

        Raises
        ------
        pyarrow.ArrowInvalid
            A decimal of more than 64 bits.
        """
        valid = None if column.null_count == 0 else column.is_valid().to_numpy()
        kind = column.type
        categories: tuple[str, ...] = ()
        if pa.types.is_string(kind):
            column = column.dictionary_encode()
        if pa.types.is_dictionary(column.type):
            dictionary = column.unify_dictionaries().combine_chunks()
            kind = pa.string()
            categories = tuple(dictionary.dictionary.to_pylist())
            array = dictionary.indices.cast(pa.int32())
        else:
            array = column.combine_chunks()
        if kind == pa.bool_():
            array = array.cast(pa.uint8())
        elif kind == pa.date32():
            array = array.view(pa.int32())
        elif pa.types.is_decimal(kind):
            array = array.view(pa.int32() if kind.bit_width == 32 else pa.int64())
        if valid is not None:
            array = pc.fill_null(array, 0)
        return cls(kind, array.to_numpy(), valid, categories)

    @property
    def is_valid(self) -> np.ndarray:
        """Booleans, shape (slots,): False where null."""
        return np.ones(len(self.values), bool) if self.valid is None else self.valid

    @property
    def is_true(self) -> np.ndarray:
        """The values of a flag as booleans, shape (slots,); null counts as False."""
        return self.values.astype(bool)

    def fill_null(self, value: int | np.integer) -> np.ndarray:
        """Return the values with `value` in place of null."""
        if self.valid is None or not value:
            return self.values
        return np.where(self.valid, self.values, self.values.dtype.type(value))

    def take(self, slots: np.ndarray) -> MaskedArray:
        """Return the values of some slots, in the order of `slots`."""
        valid = None if self.valid is None else self.valid[slots]
        return MaskedArray(self.type, self.values[slots], valid, self.categories)

    def null_unless(self, condition: np.ndarray) -> MaskedArray:
        """Return the column with null where `condition`, shape (slots,), is False."""
        valid = self.is_valid & condition
        values = np.where(valid, self.values, self.values.dtype.type(0))
        return MaskedArray(self.type, values, valid, self.categories)

    def to_arrow(self) -> pa.Array:
        """Return the column as an Arrow array that shares the memory of the values."""
        kind = pa.int32() if self.type == pa.string() else self.type
        has_null = self.valid is not None and not self.valid.all()
        validity = pa.py_buffer(_bitmap(self.valid)) if has_null else None
        values = _bitmap(self.values) if kind == pa.bool_() else np.ascontiguousarray(self.values)
        buffers = [validity, pa.py_buffer(values)]
        array = pa.Array.from_buffers(kind, len(self.values), buffers)
        if self.type == pa.string():
            array = pa.DictionaryArray.from_arrays(array, pa.array(self.categories, pa.string()))
        return array


def nulls(size: int, dtype: type = np.int64) -> MaskedArray:
    """Return a column of `size` nulls."""
    return number(np.zeros(size, dtype), np.zeros(size, bool))


def money(values: np.ndarray) -> MaskedArray:
    """Return a column of amounts in fen."""
    return MaskedArray(MONEY, values)


def number(values: np.ndarray, valid: np.ndarray | None = None) -> MaskedArray:
    """Return a column of whole numbers or booleans, of NumPy's own type."""
    return MaskedArray(pa.from_numpy_dtype(values.dtype), values, valid)


def dates(values: np.ndarray, valid: np.ndarray | None = None) -> MaskedArray:
    """Return a column of days since 1970-01-01 (int32)."""
    return MaskedArray(pa.date32(), values, valid)


def day_number(day: date) -> int:
    """Return a day as a column of dates holds it: in days since 1970-01-01."""
    return (day - _EPOCH).days


def choose(condition: np.ndarray, one: MaskedArray, other: MaskedArray) -> MaskedArray:
    """Return the values of `one` where `condition`, shape (slots,), holds, else of `other`."""
    values = np.where(condition, one.values, other.values)
    return MaskedArray(other.type, values, np.where(condition, one.is_valid, other.is_valid))


def sum_by_slot(slots: np.ndarray, amounts: np.ndarray, size: int) -> np.ndarray:
    """Return the sum of the amounts of each slot, shape (size,).

    Sums are exact up to 2**53 fen: a double holds every whole number up to there.
    """
    return np.bincount(slots, weights=amounts, minlength=size).astype(np.int64)


def read_columns(table: pa.Table) -> dict[str, MaskedArray]:
    """Return the columns of a query result by name."""
    return {name: MaskedArray.from_arrow(table.column(name)) for name in table.column_names}


def to_arrow_table(columns: Mapping[str, MaskedArray]) -> pa.Table:
    """Return columns as one Arrow table, without a copy."""
    table = pa.table({name: column.to_arrow() for name, column in columns.items()})
    return pa.Table.from_batches(table.to_batches(max_chunksize=_BATCH_ROWS), table.schema)


class CustomerIndex:
    """The customers of a build, one slot each, in order of arrival; slots are never given up.

    Parameters
    ----------
    max_key
        The highest customer_key that may occur.
    """

    def __init__(self, max_key: int) -> None:
        self._keys = np.zeros(max_key + 1, np.int32)
        self._slot_of_key = np.full(max_key + 1, -1, np.intp)
        self._count = 0
        self.columns: dict[str, MaskedArray] = {}

    def __len__(self) -> int:
        return self._count

    @property
    def keys(self) -> np.ndarray:
        """The customer_key of each slot."""
        return self._keys[: self._count]

    def slots(self, keys: np.ndarray) -> np.ndarray:
        """Return the slot of each customer_key, -1 for one without a slot."""
        return self._slot_of_key[keys]

    def upsert(self, table: pa.Table) -> None:
        """Store the rows of a query result with a column customer_key.

        New customers get a slot; values of others replace those stored before. Columns that the
        result does not have stay as they are, null for new customers.
        """
        keys = MaskedArray.from_arrow(table.column("customer_key")).values
        new_keys = keys[self._slot_of_key[keys] < 0]
        count = self._count + len(new_keys)
        self._keys[self._count : count] = new_keys
        self._slot_of_key[new_keys] = np.arange(self._count, count)
        self._count = count
        updates = _read_values(table)
        slots = self._slot_of_key[keys]
        for name in dict.fromkeys([*self.columns, *updates]):
            before = self.columns.get(name)
            if name in updates:
                self.columns[name] = self._update(before, updates[name], slots)
            elif before is not None and len(new_keys):
                self.columns[name] = self._extend(before)

    def align(self, table: pa.Table) -> dict[str, MaskedArray]:
        """Return the columns of a query result with a column customer_key, one value per slot.

        Customers without a row are null; rows of customers without a slot are left out.
        """
        slots = self._slot_of_key[MaskedArray.from_arrow(table.column("customer_key")).values]
        if (slots < 0).any():
            table = table.filter(pa.array(slots >= 0))
            slots = slots[slots >= 0]
        has_row = np.zeros(len(self), bool)
        has_row[slots] = True
        columns = {}
        for name, column in _read_values(table).items():
            values = np.zeros(len(self), column.values.dtype)
            values[slots] = column.values
            valid = has_row
            if column.valid is not None:
                valid = np.zeros(len(self), bool)
                valid[slots] = column.valid
            columns[name] = MaskedArray(column.type, values, valid, column.categories)
        return columns

    def _extend(self, column: MaskedArray) -> MaskedArray:
        """Return a copy of a column with all slots, null in new ones."""
        values = np.zeros(len(self), column.values.dtype)
        valid = np.zeros(len(self), bool)
        values[: len(column.values)] = column.values
        valid[: len(column.values)] = column.is_valid
        return MaskedArray(column.type, values, valid, column.categories)

    def _update(
        self, before: MaskedArray | None, update: MaskedArray, slots: np.ndarray
    ) -> MaskedArray:
        """Return a copy of a column with the values of `update` in `slots`."""
        column = self._extend(update.take(slots[:0]) if before is None else before)
        first_categories = update.categories if before is None else before.categories
        positions, categories = _merge_categories(first_categories, update)
        valid = column.is_valid
        column.values[slots] = positions
        valid[slots] = update.is_valid
        return MaskedArray(column.type, column.values, valid, categories)


class ActiveLoans:
    """The loans that can still have rows, one slot each.

    Copy on write: a change makes new arrays, so arrays already handed out are never modified.

    Parameters
    ----------
    max_key
        The highest loan_key that may occur.
    columns
        The loans to start with; loan_key is one of the columns.
    """

    def __init__(self, max_key: int, columns: Mapping[str, MaskedArray]) -> None:
        self._slot_of_key = np.full(max_key + 1, -1, np.intp)
        self.columns: dict[str, MaskedArray] = {}
        self._assign(columns)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def keys(self) -> np.ndarray:
        """The loan_key of each slot."""
        return self.columns["loan_key"].values

    def replace(self, surviving: np.ndarray, originated: Mapping[str, MaskedArray]) -> None:
        """Drop all loans but those in the slots `surviving`, and append the loans `originated`."""
        self._slot_of_key[self.keys] = -1
        self._assign(
            {
                name: _concatenate(column.take(surviving), originated[name])
                for name, column in self.columns.items()
            }
        )

    def align(self, keys: np.ndarray, **rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return rows with the slot of their loan as column `slot`.

        Parameters
        ----------
        keys
            The loan_key of each row, shape (rows,). Rows of loans without a slot are left out.
        rows
            The other columns, each of shape (rows,).
        """
        slots = self._slot_of_key[keys]
        if (slots < 0).any():
            has_slot = slots >= 0
            slots = slots[has_slot]
            rows = {name: values[has_slot] for name, values in rows.items()}
        return {"slot": slots, **rows}

    def _assign(self, columns: Mapping[str, MaskedArray]) -> None:
        self.columns = dict(columns)
        self._slot_of_key[self.keys] = np.arange(len(self))


def _concatenate(before: MaskedArray, more: MaskedArray) -> MaskedArray:
    """Return one column with the values of both."""
    positions, categories = _merge_categories(before.categories, more)
    valid = None
    if before.valid is not None or more.valid is not None:
        valid = np.concatenate([before.is_valid, more.is_valid])
    return MaskedArray(more.type, np.concatenate([before.values, positions]), valid, categories)


def _merge_categories(
    categories: tuple[str, ...], column: MaskedArray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the values of a text column as positions in merged categories, and these.

    The merged categories are `categories` followed by those that only the column has.
    """
    if column.categories == categories:
        return column.values, categories
    union = tuple(dict.fromkeys([*categories, *column.categories]))
    position = {category: n for n, category in enumerate(union)}
    positions = np.array([position[name] for name in column.categories] or [0], np.int32)
    return np.where(column.is_valid, positions[column.values], 0), union


def _read_values(table: pa.Table) -> dict[str, MaskedArray]:
    return read_columns(table.drop_columns("customer_key"))


def _bitmap(flags: np.ndarray) -> np.ndarray:
    return np.packbits(flags.astype(bool, copy=False), bitorder="little")
