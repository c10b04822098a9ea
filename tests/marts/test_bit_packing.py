"""Codes, flags and counts of one row in one integer, written and read back."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.marts.bit_packing import BitField, Code, Count, Flag, packed
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
ROW = BitField("traits", FIELDS)
TYPES = {
    "grade": GRADE.type,
    "is_new": "boolean",
    "is_bad": "boolean",
    "loans": "smallint",
    "days": "integer",
}

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
def root():
    return duckdb.connect()


def through(root, row: dict) -> dict:
    given = ", ".join(f"cast($%s as {TYPES[name]}) as {name}" % name for name in row)
    put = ROW.put({name: name for name in row})
    read = ", ".join(f"{dict(ROW.derived())[name]} as {name}" for name in row)
    found = root.execute(f"select {read} from (select {put} as traits from (select {given}))", row)
    return dict(zip(row, found.fetchone(), strict=True))


@settings(max_examples=200, deadline=None)
@given(rows)
def test_a_row_is_read_back_as_it_was_put_in(row):
    assert through(duckdb.connect(), row) == row


@settings(max_examples=50, deadline=None)
@given(st.lists(rows, min_size=1, max_size=4))
def test_columns_in_memory_are_packed_as_a_query_packs_them(given):
    told = ", ".join(f"unnest($%s)::{TYPES[name]} as {name}" % name for name in TYPES)
    values = {name: [row[name] for row in given] for name in TYPES}
    rows_told = duckdb.sql(f"select {told}", params=values).to_arrow_table()
    put = duckdb.sql(f"select {ROW.put({name: name for name in TYPES})} from rows_told").fetchall()
    packed = ROW.pack({name: MaskedArray.read(rows_told[name]) for name in TYPES})
    assert [(number,) for number in packed.tolist()] == put


@pytest.mark.parametrize("loans", [31, -1])
def test_a_count_in_memory_that_does_not_fit_stops_the_build_and_is_named(loans):
    with pytest.raises(UserError, match="loans is not from 0 to 30"):
        Count("loans", 5).numbers(number(np.array([3, loans])))


def test_a_code_in_memory_that_is_not_among_the_values_stops_the_build():
    with pytest.raises(UserError, match=r"grade has values that are not known: lowest"):
        GRADE.numbers(MaskedArray(pa.string(), np.array([0]), None, ("lowest",)))


def test_a_flag_in_memory_that_must_be_known_stops_the_build_where_it_is_not():
    with pytest.raises(UserError, match="is_new is not known of some rows"):
        Flag("is_new").numbers(number(np.array([True, False]), np.array([True, False])))


def test_the_first_field_takes_the_lowest_bits(root):
    # high is the third of three values: number 2, in two bits; is_new = 1 in the third bit: 2 + 4 = 6
    number = root.execute(
        f"select {BitField('traits', (GRADE, Flag('is_new'))).put({'grade': 'g', 'is_new': 'n'})} "
        f"from (select cast('high' as {GRADE.type}) as g, true as n)"
    ).fetchone()
    assert number == (6,)


def test_a_count_that_does_not_fit_stops_the_build_and_is_named(root):
    # five bits hold 0 to 30; 31 stands for null
    with pytest.raises(duckdb.Error, match="loans is above 30"):
        through(root, {"grade": "low", "is_new": True, "is_bad": None, "loans": 31, "days": 0})


def test_more_than_sixty_four_bits_in_one_column_are_refused():
    with pytest.raises(ValueError, match="traits: more than 64 bits"):
        BitField("traits", tuple(Count(f"count_{n}", 16) for n in range(5)))


def test_fields_that_do_not_fit_in_one_column_go_on_in_the_next():
    columns = packed("classes", [Count(f"count_{n}", 16) for n in range(5)])
    assert [(column.column, len(column.fields)) for column in columns] == [
        ("classes", 4),
        ("classes_2", 1),
    ]


def test_a_mask_keeps_the_bits_of_the_named_fields_only():
    # grade has two bits: 0b11; is_new the third: 0b100
    assert ROW.mask(["grade"]) == 3
    assert ROW.mask(["grade", "is_new"]) == 7


def test_fields_side_by_side_are_taken_as_one_number(root):
    # middle = 1 in two bits, is_new in the third, is_bad null = 3 in the next two, 7 loans in the five above: of is_new
    # and is_bad 1 + (3 << 1) = 7; of is_bad and loans 3 + (7 << 2) = 31
    put = ROW.put(
        {"grade": "'middle'", "is_new": "true", "is_bad": "null", "loans": "7", "days": "1"}
    )
    told = f"{ROW.together(['is_new', 'is_bad'])}, {ROW.together(['is_bad', 'loans'])}"
    assert root.execute(f"select {told} from (select {put} as traits)").fetchone() == (7, 31)


def test_an_enum_comes_back_in_its_own_order_and_not_by_the_alphabet(root):
    read = ROW.read(GRADE)
    listed = [
        ROW.put({"grade": f"'{v}'", "is_new": "true", "is_bad": "true", "loans": "1", "days": "1"})
        for v in GRADE.values
    ]
    values = ", ".join(f"({sql})" for sql in listed)
    found = root.execute(
        f"select cast(max({read}) as varchar), cast(min({read}) as varchar) from (values {values}) as t(traits)"
    )
    assert found.fetchone() == ("high", "low")
