"""Values of customers in memory, one place per customer: what a query found is put in its places, arithmetic runs over
whole arrays, and the next query reads them as a relation.

Joining a month's loans, deposits, fees and signals to all customers costs DuckDB ten times what it costs to write them
to their places here (decision 27).
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
_NUMBERS = {pa.bool_(): pa.uint8(), pa.date32(): pa.int32(), MONEY: pa.int64()}


@dataclass(frozen=True)
class Column:
    """One value per customer. Money is a whole number of fen, a date the days since 1970, a text its number among
    `words`.

    type    Arrow's type of the values, as a query is to read them
    values  an array of numbers; where the value is not known any number
    known   an array of bool; None: all are known
    """

    type: pa.DataType
    values: np.ndarray
    known: np.ndarray | None = None
    words: tuple[str, ...] = ()

    @classmethod
    def read(cls, column: pa.ChunkedArray) -> Column:
        """A column of a query's answer."""
        known = None if column.null_count == 0 else pc.is_valid(column).to_numpy()
        kind, words = column.type, ()
        if pa.types.is_string(kind):
            column = column.dictionary_encode()
        if pa.types.is_dictionary(column.type):
            array = column.unify_dictionaries().combine_chunks()
            kind, words, array = pa.string(), tuple(array.dictionary.to_pylist()), array.indices.cast(pa.int32())
        else:
            array = column.combine_chunks()
        if pa.types.is_decimal(kind):
            kind, array = MONEY, array.cast(MONEY)
        if kind == pa.bool_():
            array = array.cast(pa.uint8())
        elif kind in _NUMBERS:
            array = array.view(_NUMBERS[kind])
        if known is not None:
            array = pc.fill_null(array, 0)
        return cls(kind, array.to_numpy(), known, words)

    def filled(self, value) -> np.ndarray:
        """The values, `value` where none is known."""
        kind = self.values.dtype.type
        return self.values if self.known is None else np.where(self.known, self.values, kind(value))

    @property
    def is_known(self) -> np.ndarray:
        return np.ones(len(self.values), bool) if self.known is None else self.known

    def arrow(self) -> pa.Array:
        """As a query reads it; the memory is shared."""
        size, kind = len(self.values), pa.int32() if self.words or self.type == pa.string() else self.type
        valid = None if self.known is None or self.known.all() else pa.py_buffer(_bits(self.known))
        values = _bits(self.values) if kind == pa.bool_() else np.ascontiguousarray(self.values)
        array = pa.Array.from_buffers(kind, size, [valid, pa.py_buffer(values)])
        if self.type == pa.string():
            array = pa.DictionaryArray.from_arrays(array, pa.array(self.words, pa.string()))
        return array


def unknown(size: int, kind: type = np.int64) -> Column:
    return number(np.zeros(size, kind), np.zeros(size, bool))


def money(values: np.ndarray) -> Column:
    return Column(MONEY, values)


def number(values: np.ndarray, known: np.ndarray | None = None) -> Column:
    """Whole numbers of numpy's own type, or bool."""
    return Column(pa.from_numpy_dtype(values.dtype), values, known)


def dates(values: np.ndarray, known: np.ndarray | None = None) -> Column:
    return Column(pa.date32(), values, known)


def relation(columns: Mapping[str, Column]) -> pa.Table:
    """Columns as one relation, without a copy."""
    table = pa.table({name: column.arrow() for name, column in columns.items()})
    return pa.Table.from_batches(table.to_batches(max_chunksize=_BATCH), table.schema)


class Roster:
    """The customers of a build in the order in which they came, each with a place.

    most  no customer_key is above it
    """

    def __init__(self, most: int) -> None:
        self._keys = np.zeros(most + 1, np.int32)
        self._place = np.full(most + 1, -1, np.int32)
        self._count = 0
        self.columns: dict[str, Column] = {}

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
        keys = Column.read(answer.column("customer_key")).values
        new = keys[self._place[keys] < 0]
        self._keys[self._count : self._count + len(new)] = new
        self._place[new] = np.arange(self._count, self._count + len(new), dtype=np.int32)
        self._count += len(new)
        places = self._place[keys]
        for name in dict.fromkeys([*self.columns, *answer.column_names]):
            if name == "customer_key":
                continue
            given = Column.read(answer.column(name)) if name in answer.column_names else None
            self.columns[name] = self._joined(self.columns.get(name), given, places)

    def spread(self, answer: pa.Table) -> dict[str, Column]:
        """The columns of an answer by customer_key, each value in its customer's place, all others not known. Rows of
        customers without a place are left out.
        """
        places = self._place[Column.read(answer.column("customer_key")).values]
        here = places >= 0
        only = None if here.all() else here
        found = {}
        for name in answer.column_names:
            if name != "customer_key":
                column = Column.read(answer.column(name))
                if only is not None:
                    known = None if column.known is None else column.known[only]
                    column = Column(column.type, column.values[only], known, column.words)
                found[name] = self._joined(None, column, places if only is None else places[only])
        return found

    def _joined(self, before: Column | None, given: Column | None, places: np.ndarray) -> Column:
        """A column of all places: as before, and as given at `places`."""
        kind = before or given
        values, known = np.zeros(len(self), kind.values.dtype), np.zeros(len(self), bool)
        words = kind.words
        if before:
            values[: len(before.values)] = before.values
            known[: len(before.values)] = before.is_known
        if given:
            numbers = given.values
            if before and given.words != before.words:
                told = {word: number for number, word in enumerate(dict.fromkeys([*before.words, *given.words]))}
                numbers = np.array([told[word] for word in given.words] or [0], np.int32)[given.values]
                words = tuple(told)
            values[places] = numbers
            known[places] = given.is_known
        return Column(kind.type, values, None if known.all() else known, words)


def _bits(flags: np.ndarray) -> np.ndarray:
    return np.packbits(flags.astype(bool, copy=False), bitorder="little")
