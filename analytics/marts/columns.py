"""Values of customers and of loans in memory, one place for each: what a query found is put in its places, arithmetic
runs over whole arrays, and the next query reads them as a relation (decision 27).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MONEY = pa.decimal64(15, 2)
# DuckDB's threads share a relation by its batches.
_BATCH = 122_880


@dataclass(frozen=True)
class MaskedArray:
    """One value per customer or loan. Money is a whole number of fen, a date the days since 1970, a text its number
    among `words`.

    type    Arrow's type of the values, as a query is to read them
    values  an array of numbers, 0 where the value is not known
    known   an array of bool; None: all are known
    """

    type: pa.DataType
    values: np.ndarray
    known: np.ndarray | None = None
    words: tuple[str, ...] = ()

    @classmethod
    def read(cls, column: pa.ChunkedArray) -> MaskedArray:
        """A column of a query's answer."""
        known = None if column.null_count == 0 else pc.is_valid(column).to_numpy()
        kind, words = column.type, ()
        if pa.types.is_string(kind):
            column = column.dictionary_encode()
        if pa.types.is_dictionary(column.type):
            array = column.unify_dictionaries().combine_chunks()
            kind, words, array = (
                pa.string(),
                tuple(array.dictionary.to_pylist()),
                array.indices.cast(pa.int32()),
            )
        else:
            array = column.combine_chunks()
        if kind == pa.bool_():
            array = array.cast(pa.uint8())
        elif kind == pa.date32():
            array = array.view(pa.int32())
        elif pa.types.is_decimal(kind):
            array = array.view(pa.int32() if kind.bit_width == 32 else pa.int64())
        if known is not None:
            array = pc.fill_null(array, 0)
        return cls(kind, array.to_numpy(), known, words)

    def filled(self, value) -> np.ndarray:
        """The values, `value` where none is known."""
        if self.known is None or not value:
            return self.values
        return np.where(self.known, self.values, self.values.dtype.type(value))

    @property
    def is_known(self) -> np.ndarray:
        return np.ones(len(self.values), bool) if self.known is None else self.known

    def at(self, places: np.ndarray) -> MaskedArray:
        """The values of some places, in that order."""
        known = None if self.known is None else self.known[places]
        return MaskedArray(self.type, self.values[places], known, self.words)

    def arrow(self) -> pa.Array:
        """As a query reads it; the memory is shared."""
        size, kind = len(self.values), pa.int32() if self.type == pa.string() else self.type
        valid = None if self.known is None or self.known.all() else pa.py_buffer(_bits(self.known))
        values = _bits(self.values) if kind == pa.bool_() else np.ascontiguousarray(self.values)
        array = pa.Array.from_buffers(kind, size, [valid, pa.py_buffer(values)])
        if self.type == pa.string():
            array = pa.DictionaryArray.from_arrays(array, pa.array(self.words, pa.string()))
        return array


def unknown(size: int, kind: type = np.int64) -> MaskedArray:
    """A column of which nothing is known."""
    return number(np.zeros(size, kind), np.zeros(size, bool))


def money(values: np.ndarray) -> MaskedArray:
    """Whole fen."""
    return MaskedArray(MONEY, values)


def number(values: np.ndarray, known: np.ndarray | None = None) -> MaskedArray:
    """Whole numbers of numpy's own type, or bool."""
    return MaskedArray(pa.from_numpy_dtype(values.dtype), values, known)


def dates(values: np.ndarray, known: np.ndarray | None = None) -> MaskedArray:
    """Days since 1970, int32."""
    return MaskedArray(pa.date32(), values, known)


def sum_by_slot(places: np.ndarray, amounts: np.ndarray, size: int) -> np.ndarray:
    """Sums by place. They are exact: a double holds every whole number up to 2**53 fen."""
    return np.bincount(places, weights=amounts, minlength=size).astype(np.int64)


def to_arrow_table(columns: Mapping[str, MaskedArray]) -> pa.Table:
    """Columns as one relation, without a copy."""
    table = pa.table({name: column.arrow() for name, column in columns.items()})
    return pa.Table.from_batches(table.to_batches(max_chunksize=_BATCH), table.schema)


class CustomerIndex:
    """The customers of a build in the order in which they came, each with a place.

    most  no customer_key is above it
    """

    def __init__(self, most: int) -> None:
        self._keys = np.zeros(most + 1, np.int32)
        self._place = np.full(most + 1, -1, np.intp)
        self._count = 0
        self.columns: dict[str, MaskedArray] = {}

    def __len__(self) -> int:
        return self._count

    @property
    def keys(self) -> np.ndarray:
        return self._keys[: self._count]

    def places(self, keys: np.ndarray) -> np.ndarray:
        """The places of customers; -1 of one who has none."""
        return self._place[keys]

    def put(self, answer: pa.Table) -> None:
        """Keep an answer by customer_key: who is new gets a place, values stand in place of those before."""
        keys = MaskedArray.read(answer.column("customer_key")).values
        new = keys[self._place[keys] < 0]
        self._keys[self._count : self._count + len(new)] = new
        self._place[new] = np.arange(self._count, self._count + len(new))
        self._count += len(new)
        given, places = _columns(answer), self._place[keys]
        for name in dict.fromkeys([*self.columns, *given]):
            before, now = self.columns.get(name), given.get(name)
            if now:
                self.columns[name] = self._over(before, now, places)
            elif len(new):
                self.columns[name] = self._grown(before)

    def spread(self, answer: pa.Table) -> dict[str, MaskedArray]:
        """The columns of an answer by customer_key, each value in its customer's place, all others not known. Rows of
        customers without a place are left out.
        """
        places = self._place[MaskedArray.read(answer.column("customer_key")).values]
        if (places < 0).any():
            answer, places = answer.filter(pa.array(places >= 0)), places[places >= 0]
        here = self._new(bool)
        here[places] = True
        found = {}
        for name, column in _columns(answer).items():
            values, known = self._new(column.values.dtype), here
            values[places] = column.values
            if column.known is not None:
                known = self._new(bool)
                known[places] = column.known
            found[name] = MaskedArray(column.type, values, known, column.words)
        return found

    def _new(self, kind: type | np.dtype) -> np.ndarray:
        return np.zeros(len(self), kind)

    def _grown(self, before: MaskedArray | None, like: MaskedArray | None = None) -> MaskedArray:
        """A column of its own memory with all places, new ones not known."""
        kind = before or like
        values, known = self._new(kind.values.dtype), self._new(bool)
        if before:
            values[: len(before.values)] = before.values
            known[: len(before.values)] = before.is_known
        return MaskedArray(kind.type, values, known, kind.words)

    def _over(
        self, before: MaskedArray | None, now: MaskedArray, places: np.ndarray
    ) -> MaskedArray:
        column = self._grown(before, now)
        numbers, words = _numbers_among(column.words, now)
        column.values[places] = numbers
        column.known[places] = True if now.known is None else now.known
        return MaskedArray(column.type, column.values, column.known, words)


class ActiveLoans:
    """The loans of a build, each with a place while it may still have a row. A change makes new arrays: what was handed
    out stays as it was.

    most  no loan_key is above it
    """

    def __init__(self, most: int, columns: Mapping[str, MaskedArray]) -> None:
        self._place = np.full(most + 1, -1, np.intp)
        self.columns: dict[str, MaskedArray] = {}
        self._settle(columns)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def keys(self) -> np.ndarray:
        return self.columns["loan_key"].values

    def turn(self, stay: np.ndarray, come: Mapping[str, MaskedArray]) -> None:
        """Those that are not at the places `stay` give theirs up; those that come get the last ones."""
        self._place[self.keys] = -1
        self._settle(
            {name: _after(column.at(stay), come[name]) for name, column in self.columns.items()}
        )

    def placed(self, keys: np.ndarray, **rows: np.ndarray) -> dict[str, np.ndarray]:
        """Rows of loans with their places; those of loans without a place are left out."""
        places = self._place[keys]
        if (places < 0).any():
            here = places >= 0
            places, rows = places[here], {name: values[here] for name, values in rows.items()}
        return {"place": places, **rows}

    def _settle(self, columns: Mapping[str, MaskedArray]) -> None:
        self.columns = dict(columns)
        self._place[self.keys] = np.arange(len(self))


def columns(answer: pa.Table) -> dict[str, MaskedArray]:
    """The columns of a query's answer."""
    return {name: MaskedArray.read(answer.column(name)) for name in answer.column_names}


def _after(before: MaskedArray, more: MaskedArray) -> MaskedArray:
    """The values of one column after those of another."""
    numbers, words = _numbers_among(before.words, more)
    known = None
    if before.known is not None or more.known is not None:
        known = np.concatenate([before.is_known, more.is_known])
    return MaskedArray(more.type, np.concatenate([before.values, numbers]), known, words)


def _numbers_among(
    words: tuple[str, ...], column: MaskedArray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """A column's values as numbers among `words` and, after these, its own; all these words."""
    if column.words == words:
        return column.values, words
    told = {word: number for number, word in enumerate(dict.fromkeys([*words, *column.words]))}
    numbers = np.array([told[word] for word in column.words] or [0], np.int32)[column.values]
    return np.where(column.is_known, numbers, 0), tuple(told)


def _columns(answer: pa.Table) -> dict[str, MaskedArray]:
    return columns(answer.drop_columns("customer_key"))


def _bits(flags: np.ndarray) -> np.ndarray:
    return np.packbits(flags.astype(bool, copy=False), bitorder="little")
