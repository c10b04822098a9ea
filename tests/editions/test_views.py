"""The views over the parts of an edition."""

from pathlib import Path

import pytest

from data.editions.part_writer import open_build_session
from data.editions.reader import EditionReader, Warehouse
from data.errors import UserError
from tests.support.disk_faults import FEBRUARY, publish


def test_history_tables_are_the_union_of_the_chain_and_current_tables_the_newest(
    warehouse: Warehouse,
) -> None:
    by_month = warehouse.query(
        "select as_of, max(load) as load, count(*) as n from loan_month group by all order by all"
    )
    assert by_month["load"].tolist() == [1, 2]
    assert by_month["n"].tolist() == [500, 500]
    assert warehouse.one("select max(load), count(*) from branch") == (2, 1)


def offers(folder: Path, *parts: tuple[int, str]) -> EditionReader:
    """Return a reader of parts with one row each: a packed value and the rule of its price."""
    paths = [folder / f"{number}.duckdb" for number in range(len(parts))]
    for path, (value, rule) in zip(paths, parts, strict=True):
        session = open_build_session(path, memory="300MB", threads=1)
        session.run(
            "create table part.history.offer (packed integer);"
            "insert into part.history.offer values ($value);"
            "create table part.current.computed_columns "
            "(table_name varchar, number integer, column_name varchar, expression varchar);"
            "insert into part.current.computed_columns values "
            "('offer', 2, 'twice', 'price * 2'), ('offer', 1, 'price', $rule)",
            value=value,
            rule=rule,
        )
        session.close()
    return EditionReader(paths)


def test_computed_columns_are_in_the_view_by_the_rule_of_each_part(tmp_path: Path) -> None:
    # `packed` is in pence in the first part, in pounds in the second, in pence in the third.
    reader = offers(tmp_path, (500, "packed / 100"), (7, "packed * 1.0"), (800, "packed / 100"))
    assert reader.query("select price, twice from offer order by price").values.tolist() == [
        [5, 10],
        [7, 14],
        [8, 16],
    ]
    reader.close()


def test_a_rule_that_several_parts_share_is_bound_once(tmp_path: Path) -> None:
    """Every query binds all columns of a view: twelve rules would cost twelve times as much."""
    reader = offers(tmp_path, (500, "packed / 100"), (700, "packed / 100"), (800, "packed / 100"))
    assert reader.query("select price from offer order by price")["price"].tolist() == [5, 7, 8]
    views = reader.query("select sql from duckdb_views() where view_name = 'offer'")
    assert views["sql"][0].count("100") == 1
    reader.close()


def test_a_reader_has_the_catalog_of_its_newest_part(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    edition = publish(tmp_path, 2, FEBRUARY, kind="increment")
    reader = EditionReader(edition.paths(tmp_path))
    assert reader.one(
        f"select count(distinct as_of), min(as_of) from {reader.newest}.history.loan_month"
    ) == (1, FEBRUARY)
    reader.close()


def test_a_column_that_older_parts_lack_is_null_there(tmp_path: Path) -> None:
    old = tmp_path / "old.duckdb"
    new = tmp_path / "new.duckdb"
    first = open_build_session(old)
    first.run(
        "create table part.history.t as select 1 as a; create table part.current.h as select 1 as v"
    )
    first.close()
    second = open_build_session(new, [old])
    assert second.views() == ["h", "t"]
    second.run("create table part.history.t as select 'x' as b, 2 as a")
    second.views()
    assert second.frame("select a, b from t order by a").values.tolist()[1] == [2, "x"]
    assert second.one("select count(*) from t where b is null") == (1,)
    # The second part has no current.h: the table of the older part is still the newest.
    assert second.one("select v from h") == (1,)
    second.close()
    reader = EditionReader([old, new])
    assert reader.tables == ("h", "t")
    assert reader.one("select sum(a)::int from t") == (3,)
    reader.close()


def test_an_enum_of_all_parts_stays_an_enum(tmp_path: Path) -> None:
    parts = [tmp_path / "a.duckdb", tmp_path / "b.duckdb"]
    for part in parts:
        session = open_build_session(part)
        session.run(
            "create table part.history.t as select 'low'::enum('low', 'high', 'other') as level"
        )
        session.close()
    reader = EditionReader(parts)
    # In the declared order low < high. A bare literal is compared as text, where 'high' < 'low'.
    kind = "enum('low', 'high', 'other')"
    assert reader.one(
        "select count(*) from t where typeof(level) like 'ENUM(%low%high%other%)'"
    ) == (2,)
    assert reader.one(f"select count(*) from t where level < cast('high' as {kind})") == (2,)
    assert reader.one("select count(*) from t where level < 'high'") == (0,)
    reader.close()


def test_a_table_cannot_be_in_history_in_one_part_and_in_current_in_another(tmp_path: Path) -> None:
    old = tmp_path / "old.duckdb"
    new = tmp_path / "new.duckdb"
    for part, schema in [(old, "history"), (new, "current")]:
        session = open_build_session(part)
        session.run(f"create table part.{schema}.t as select 1 as a")
        session.close()
    with pytest.raises(UserError, match="Table t"):
        EditionReader([old, new])
