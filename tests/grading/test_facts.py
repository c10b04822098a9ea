"""Facts queried for the rules give the class that the build stored, for every scheme."""

from datetime import date

import pytest

from analytics import rulebooks
from analytics.grading import facts
from data.editions.reader import Warehouse
from data.errors import UserError

LAST, EARLIER = date(2026, 10, 31), date(2026, 3, 31)
SCHEMES = rulebooks.read_schemes()


@pytest.fixture(scope="module")
def reader(demo_home):
    warehouse = Warehouse(demo_home)
    with warehouse.session() as reader:
        yield reader
    warehouse.close()


@pytest.mark.parametrize("as_of", [EARLIER, LAST], ids=str)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_facts_of_all_customers_and_loans_give_the_class_that_the_build_stored(
    reader, scheme, as_of
):
    grain, book = SCHEMES[scheme].grain, SCHEMES[scheme].edition(as_of)
    query = facts.facts_query(reader, grain, book.facts, as_of)
    counts = reader.one(
        f"with {query.sql}, "
        f"graded as (select {grain}_key, {book.to_sql()} as class from known) "
        "select count(*), "
        f"count(*) filter (where graded.class = cast(mart.{scheme} as varchar)) "
        f"from {grain}_month as mart left join graded using ({grain}_key) "
        "where mart.as_of = $as_of",
        **query.params,
    )
    assert counts is not None
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_one_customers_facts_are_classified_as_the_build_did(reader, scheme):
    grain, book = SCHEMES[scheme].grain, SCHEMES[scheme].edition(LAST)
    # one of each class that there is, and some more, in an order that hash makes
    rows = reader.query(
        f"select {grain}_key as key, cast({scheme} as varchar) as class from {grain}_month "
        "where as_of = $as_of "
        f"qualify row_number() over (partition by {scheme} order by hash({grain}_key)) <= 3",
        as_of=LAST,
    )
    for row in rows.itertuples():
        values = facts.facts_of(reader, grain, book.facts, LAST, int(row.key))
        assert values is not None
        assert book.classify(values).code == row[2]


def test_a_customer_who_was_not_there_yet_has_no_facts(reader):
    newest = reader.one(
        "select customer_key from customer_month "
        "group by customer_key having min(as_of) > $d limit 1",
        d=EARLIER,
    )
    assert newest is not None
    assert facts.facts_of(reader, "customer", ("age",), EARLIER, newest[0]) is None


def test_a_month_end_that_is_not_there_is_refused(reader):
    with pytest.raises(UserError, match="no month end 2020-01-31"):
        facts.facts_query(reader, "customer", ("age",), date(2020, 1, 31))


def test_the_edition_keeps_the_text_of_the_rulebooks_that_graded_it(reader):
    stored_rulebooks = reader.query("select scheme, effective_on, text from rulebook")
    books = {
        (book.id, book.effective_on): book.text
        for scheme in SCHEMES.values()
        for book in scheme.editions
    }
    assert {
        (row.scheme, row.effective_on.date()): row.text for row in stored_rulebooks.itertuples()
    } == books
