"""Codes, flags and counts of one row in one integer: encoded and decoded again."""

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.marts.bit_packing import BitField, Code, Count, Flag, pack_fields
from analytics.marts.columns import MaskedArray, number
from data.errors import UserError

GRADE = Code("grade", ("low", "middle", "high"))
FIELDS = (
    GRADE,
    Flag("is_new"),
    Flag("is_bad", may_be_null=True),
    Count("loans", 5),
    Count("days", 20, "integer"),
)
ROW = BitField("flags_packed", FIELDS)
TYPES = {
    "grade": GRADE.type,
    "is_new": "boolean",
    "is_bad": "boolean",
    "loans": "smallint",
    "days": "integer",
}
# The columns of TYPES under their own names.
COLUMNS = {name: name for name in TYPES}

rows = st.fixed_dictionaries(
    {
        "grade": st.sampled_from(["low", "middle", "high", None]),
        "is_new": st.booleans(),
        "is_bad": st.sampled_from([True, False, None]),
        "loans": st.one_of(st.none(), st.integers(0, 30)),
        "days": st.one_of(st.none(), st.integers(0, 2**20 - 2)),
    }
)


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def encoded_and_decoded(connection: duckdb.DuckDBPyConnection, row: dict[str, Any]) -> dict:
    values = ", ".join(f"cast(${name} as {TYPES[name]}) as {name}" for name in row)
    decoded = ", ".join(f"{dict(ROW.computed_columns())[name]} as {name}" for name in row)
    result = connection.execute(
        f"select {decoded} from "
        f"(select {ROW.encode_sql(COLUMNS)} as flags_packed from (select {values}))",
        row,
    )
    [values_read] = result.fetchall()
    return dict(zip(row, values_read, strict=True))


@settings(max_examples=200, deadline=None)
@given(rows)
def test_a_row_is_decoded_to_the_values_that_were_encoded(row: dict[str, Any]) -> None:
    assert encoded_and_decoded(duckdb.connect(), row) == row


@settings(max_examples=50, deadline=None)
@given(st.lists(rows, min_size=1, max_size=4))
def test_columns_in_memory_are_encoded_as_a_query_encodes_them(given_rows: list[dict]) -> None:
    connection = duckdb.connect()
    values = {name: [row[name] for row in given_rows] for name in TYPES}
    items = ", ".join(f"unnest(${name})::{TYPES[name]} as {name}" for name in TYPES)
    relation = connection.sql(f"select {items}", params=values)
    assert relation is not None
    table = relation.to_arrow_table()
    connection.register("given_rows", table)
    by_query = connection.execute(f"select {ROW.encode_sql(COLUMNS)} from given_rows").fetchall()
    in_memory = ROW.encode({name: MaskedArray.from_arrow(table[name]) for name in TYPES})
    assert [(integer,) for integer in in_memory.tolist()] == by_query


@pytest.mark.parametrize("loans", [31, -1])
def test_a_count_in_memory_that_does_not_fit_stops_the_build_and_is_named(loans: int) -> None:
    with pytest.raises(UserError, match="loans is not from 0 to 30"):
        Count("loans", 5).encode(number(np.array([3, loans])))


def test_a_code_in_memory_that_is_not_among_the_values_stops_the_build() -> None:
    with pytest.raises(UserError, match=r"grade has values that are not known: lowest"):
        GRADE.encode(MaskedArray(pa.string(), np.array([0]), None, ("lowest",)))


def test_a_null_in_a_flag_that_allows_none_stops_the_build() -> None:
    with pytest.raises(UserError, match="is_new is not known of some rows"):
        Flag("is_new").encode(number(np.array([True, False]), np.array([True, False])))


def test_the_first_field_takes_the_lowest_bits(connection: duckdb.DuckDBPyConnection) -> None:
    # high is the third of three values: number 2, in two bits; is_new = 1 in the third bit:
    # 2 + 4 = 6
    field = BitField("flags_packed", (GRADE, Flag("is_new")))
    integer = connection.execute(
        f"select {field.encode_sql({'grade': 'g', 'is_new': 'n'})} "
        f"from (select cast('high' as {GRADE.type}) as g, true as n)"
    ).fetchone()
    assert integer == (6,)


def test_a_count_in_a_query_that_does_not_fit_stops_the_build_and_is_named(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    # five bits have 0 to 30; 31 stands for null
    row = {"grade": "low", "is_new": True, "is_bad": None, "loans": 31, "days": 0}
    with pytest.raises(duckdb.Error, match="loans is above 30"):
        encoded_and_decoded(connection, row)


def test_more_than_sixty_four_bits_in_one_column_are_refused() -> None:
    with pytest.raises(ValueError, match="counts_packed: more than 64 bits"):
        BitField("counts_packed", tuple(Count(f"count_{n}", 16) for n in range(5)))


def test_fields_that_do_not_fit_in_one_column_continue_in_the_next() -> None:
    columns = pack_fields("classes", [Count(f"count_{n}", 16) for n in range(5)])
    assert [(column.column, len(column.fields)) for column in columns] == [
        ("classes", 4),
        ("classes_2", 1),
    ]


def test_a_mask_has_the_bits_of_the_named_fields_only() -> None:
    # grade has two bits: 0b11; is_new the third: 0b100
    assert ROW.mask(["grade"]) == 3
    assert ROW.mask(["grade", "is_new"]) == 7


def test_adjacent_fields_are_read_as_one_number(connection: duckdb.DuckDBPyConnection) -> None:
    # middle = 1 in two bits, is_new in the third, is_bad null = 3 in the next two, 7 loans in the
    # five above: of is_new and is_bad 1 + (3 << 1) = 7; of is_bad and loans 3 + (7 << 2) = 31
    integer = ROW.encode_sql(
        {"grade": "'middle'", "is_new": "true", "is_bad": "null", "loans": "7", "days": "1"}
    )
    slices = f"{ROW.slice_sql(['is_new', 'is_bad'])}, {ROW.slice_sql(['is_bad', 'loans'])}"
    result = connection.execute(f"select {slices} from (select {integer} as flags_packed)")
    assert result.fetchone() == (7, 31)


def test_a_decoded_enum_sorts_in_its_own_order_and_not_by_the_alphabet(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    grade = ROW.decode_sql(GRADE)
    others = {"is_new": "true", "is_bad": "true", "loans": "1", "days": "1"}
    integers = [ROW.encode_sql({"grade": f"'{value}'", **others}) for value in GRADE.values]
    values = ", ".join(f"({sql})" for sql in integers)
    result = connection.execute(
        f"select cast(max({grade}) as varchar), cast(min({grade}) as varchar) "
        f"from (values {values}) as t(flags_packed)"
    )
    assert result.fetchone() == ("high", "low")


def test_the_meaning_of_a_field_says_which_values_it_has() -> None:
    assert [field.meaning for field in FIELDS] == [
        "low, middle, high",
        "true or false",
        "true, false or null",
        "0 to 30 or null",
        "0 to 1,048,574 or null",
    ]
