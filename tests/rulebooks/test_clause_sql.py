"""Python and SQL give the same class, and so does the oracle that is written by hand."""

import csv
import io
import random
import shutil
from decimal import Decimal

import pyarrow as pa
import pytest
import sqlglot

from analytics import rulebooks
from analytics.__main__ import main
from analytics.rulebooks.conditions import plain_text
from analytics.rulebooks.syntax.rule_text import parse_rule
from data.editions.part_writer import open_build_session
from tests.support.rulebook_oracle import consumer_five

SCHEMES = rulebooks.read_schemes()
BOOKS = [book for scheme in SCHEMES.values() for book in scheme.editions]
COLUMN = {
    "int": "integer",
    "number": "double",
    "money": "decimal(18, 2)",
    "rate": "decimal(9, 6)",
    "bool": "boolean",
}
ARROW = {
    "int": pa.int32(),
    "number": pa.float64(),
    "money": pa.decimal128(18, 2),
    "rate": pa.decimal128(9, 6),
    "bool": pa.bool_(),
    "code": pa.string(),
}


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """An in-memory root of the engine, as the build has one."""
    session = open_build_session(
        tmp_path_factory.mktemp("part") / "part.duckdb", keep_order=True, threads=2
    )
    yield session
    session.abandon()


def values_of(book, fact):
    """Return values around every threshold; every code, also the unknown one; booleans; None."""
    values = [c for rule in book.leaves() if rule.fact.name == fact.name for c in rule.candidates()]
    if fact.is_numeric:
        values = [value for value in values if value >= 0] + [0]
    return [*dict.fromkeys(values), *([fact.unknown] if fact.type == "code" else []), None]


def cases_of(book, crossed, seed=20260101):
    """Return each fact of each example at all its values, then `crossed` random pairs of rows.

    One row of a pair changes two to four facts of an example, the other draws all facts.
    """
    rng = random.Random(seed)
    values = {name: values_of(book, fact) for name, fact in book.fact_index.items()}
    empty = dict.fromkeys(book.facts)
    bases = [
        {**empty, **{n: v for n, v in case.facts.items() if n in empty}} for case in book.examples
    ]
    rows = [
        {**base, name: value} for base in bases for name in book.facts for value in values[name]
    ]
    for _ in range(crossed):
        base = rng.choice(bases)
        moved = rng.sample(book.facts, min(len(book.facts), rng.randint(2, 4)))
        rows.append({**base, **{name: rng.choice(values[name]) for name in moved}})
        rows.append({name: rng.choice(values[name]) for name in book.facts})
    return rows


def fill(session, book, rows):
    """The rows as a typed table `facts`, codes as enums, in the order given."""
    columns = {"row_number": pa.array(range(len(rows)), pa.int32())}
    for name, fact in book.fact_index.items():
        values = [row[name] for row in rows]
        if fact.type in ("money", "rate"):
            values = [None if value is None else Decimal(str(value)) for value in values]
        columns[name] = pa.array(values, ARROW[fact.type])
    session.register(pa.table(columns), "raw_rows")
    typed = []
    for name, fact in book.fact_index.items():
        codes = ", ".join(f"'{code}'" for code in (*fact.values, fact.unknown))
        sql_type = f"enum({codes})" if fact.type == "code" else COLUMN[fact.type]
        typed.append(f"cast({name} as {sql_type}) as {name}")
    session.run(
        f"create or replace table facts as select row_number, {', '.join(typed)}"
        " from raw_rows order by row_number"
    )
    session.unregister("raw_rows")


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.path)
def test_python_and_sql_agree_around_every_threshold(book, session):
    rows = cases_of(book, crossed=1500)
    fill(session, book, rows)
    classes = session.table(
        f"select {book.to_sql('f')} as class from facts as f order by row_number"
    )["class"].to_pylist()
    mine = [book.decide(book.env(row)) for row in rows]
    differing = [
        (row, one, other)
        for row, one, other in zip(rows, mine, classes, strict=True)
        if one != other
    ]
    assert not differing, differing[:3]
    assert {*mine} == set(book.class_codes)


@pytest.mark.parametrize(
    "text",
    [
        "post in [leader, senior_manager, mid_manager, senior_engineer, engineer, department_head,"
        " regular, service]",
        "education < primary",
        "education >= primary",
        "education != master",
        "post != service",
        "post = leader",
    ],
)
def test_a_rule_of_codes_is_decided_alike_whether_all_or_none_of_them_satisfy_it(session, text):
    rule = parse_rule(text, rulebooks.facts()["customer"])
    codes = ", ".join(f"'{code}'" for code in (*rule.fact.values, rule.fact.unknown))
    session.run(
        "create or replace table coded as"
        f" select unnest([{codes}, null])::enum({codes}) as {rule.fact.name}"
    )
    sure = rule.sql(lambda fact: fact.name)
    possible = rule.not_false_sql(lambda fact: fact.name)
    classes = session.table(
        f"select {rule.fact.name} as code, coalesce({sure}, false) as sure,"
        f" {possible} as possible from coded"
    ).to_pylist()
    assert len(classes) == len(rule.fact.values) + 2
    for row in classes:
        answer = rule.evaluate({rule.fact.name: rule.fact.normal(row["code"])})
        assert (row["sure"], row["possible"]) == (answer is True, answer is not False), row


def random_customers(count, seed):
    """Return rows near the thresholds of consumer_five: some facts random, some missing."""
    rng = random.Random(seed)
    book = SCHEMES["consumer_five"].editions[-1]
    values = {name: values_of(book, fact) for name, fact in book.fact_index.items()}
    people = [{**dict.fromkeys(book.facts), **case.facts} for case in book.examples]
    rows = []
    for number in range(count):
        if number % 3 == 0:
            row = {name: rng.choice(values[name][:-1]) for name in book.facts}
        else:
            row = dict(rng.choice(people))
            for name in rng.sample(book.facts, rng.randint(1, 5)):
                row[name] = rng.choice(values[name])
        if number % 3 == 0:
            row |= {
                "own_credit_record": rng.choice(["normal", "flawed", "substandard"]),
                "in_arrears_anywhere": False,
                "is_married": False,
                "citizenship": "cn",
                "has_stable_income": True,
            }
        rows.append(row)
    return book, rows


def test_ten_thousand_random_customers_get_the_class_of_the_hand_written_oracle(session):
    book, rows = random_customers(10_000, seed=5)
    fill(session, book, rows)
    classes = session.table(f"select {book.to_sql()} as class from facts order by row_number")[
        "class"
    ].to_pylist()
    oracle = [consumer_five(row.get) for row in rows]
    assert [book.decide(book.env(row)) for row in rows] == oracle
    assert classes == oracle
    # the rows are worth something only if they reach every class often
    assert min(oracle.count(code) for code in book.class_codes) >= 50


def test_classify_gives_ten_thousand_random_rows_of_a_file_the_class_of_the_oracle(
    tmp_path, capsys
):
    book, rows = random_customers(10_000, seed=7)
    with (tmp_path / "facts.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, book.facts)
        lines.writeheader()
        lines.writerows({name: plain_text(value) for name, value in row.items()} for row in rows)
    words = [
        "classify",
        "--scheme",
        "consumer_five",
        "--facts",
        str(tmp_path / "facts.csv"),
        "--format",
        "csv",
    ]
    assert main(words) == 0
    classes = [row["class"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))]
    assert classes == [consumer_five(row.get) for row in rows]


def test_a_million_customers_are_graded_in_one_statement(session):
    book, rows = random_customers(10_000, seed=6)
    fill(session, book, rows)
    session.run("create or replace table many as select facts.* from facts, range(100)")
    codes = ", ".join(f"'{code}'" for code in book.class_codes)
    session.run(
        "create or replace table graded as"
        f" select cast({book.to_sql()} as enum({codes})) as class from many"
    )
    assert session.one("select count(*), count(class) from graded") == (1_000_000, 1_000_000)


def test_a_nan_is_missing_in_sql_too(session):
    assert session.one("select nullif(cast('nan' as double), cast('nan' as double)) is null") == (
        True,
    )


def test_a_prefix_that_is_no_alias_is_refused():
    with pytest.raises(ValueError, match="no table alias"):
        BOOKS[0].to_sql("c; drop table loan")


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.path)
def test_the_sql_means_the_same_to_duckdb_and_to_spark(book):
    sql = f"select {book.to_sql('f')} as class from facts as f"
    as_duckdb, as_spark = (sqlglot.parse_one(sql, read=dialect) for dialect in ("duckdb", "spark"))
    assert as_duckdb == as_spark
    allowed = (
        sqlglot.exp.Case,
        sqlglot.exp.If,
        sqlglot.exp.Cast,
        sqlglot.exp.Nullif,
        sqlglot.exp.And,
        sqlglot.exp.Or,
    )
    assert {type(call) for call in as_duckdb.find_all(sqlglot.exp.Func)} <= set(allowed)


def _spark_value(fact, value):
    """Return a value as Spark takes it: amounts and rates as Decimal."""
    if fact.type in ("money", "rate") and value is not None:
        return Decimal(str(value))
    return value


def test_spark_gives_the_same_classes():
    pyspark = pytest.importorskip(
        "pyspark", reason="pyspark is not installed; `make test-spark` brings its own"
    )
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17, which is not installed")
    types = pyspark.sql.types
    kind = {
        "int": types.IntegerType(),
        "number": types.DoubleType(),
        "money": types.DecimalType(18, 2),
        "rate": types.DecimalType(9, 6),
        "bool": types.BooleanType(),
        "code": types.StringType(),
    }
    options = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.driver.memory": "1g",
    }
    builder = pyspark.sql.SparkSession.builder.master("local[2]")
    for key, value in options.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    try:
        for book in BOOKS:
            rows = cases_of(book, crossed=200)
            shape = types.StructType([types.StructField("row_number", types.IntegerType())])
            for name, fact in book.fact_index.items():
                shape = shape.add(name, kind[fact.type])
            records = [
                (number, *(_spark_value(fact, row[name]) for name, fact in book.fact_index.items()))
                for number, row in enumerate(rows)
            ]
            spark.createDataFrame(records, shape).createOrReplaceTempView("facts")
            graded = spark.sql(
                f"select row_number, {book.to_sql('f')} as class from facts as f"
            ).collect()
            classes = [row["class"] for row in sorted(graded, key=lambda row: row["row_number"])]
            assert classes == [book.decide(book.env(row)) for row in rows], book.path
        nan = spark.sql(
            "select nullif(cast('nan' as double), cast('nan' as double)) is null as is_missing"
        )
        assert nan.collect()[0]["is_missing"]
    finally:
        spark.stop()
