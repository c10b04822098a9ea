"""The shipped sources on the real extracts: no record lost or multiplied, and the published
figures.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from data.contract.schema import read_contract
from data.editions.manifest import Edition
from data.errors import UserError
from data.ingest.source import read_source, source_names
from data.loading.pipeline import load
from tests.support.deliveries import rows

Loaded = tuple[Edition, Callable[[str], list[tuple]]]
REAL = Path(__file__).parents[3] / "shared" / "real"


def load_real(name: str, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Load a real extract; return the edition and a function that runs SQL on it."""
    if not (REAL / name).is_dir():
        pytest.skip(f"the real extract ../shared/real/{name} is not here")
    home = tmp_path_factory.mktemp(name) / "h"
    edition = load(REAL / name, name, home, build_marts=None)
    return edition, lambda sql: [tuple(row.values()) for row in rows(edition, home, sql)]


@pytest.fixture(scope="module")
def superlender(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load_real("superlender", tmp_path_factory)


@pytest.fixture(scope="module")
def berka(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load_real("berka", tmp_path_factory)


@pytest.fixture(scope="module")
def ondeck(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load_real("ondeck", tmp_path_factory)


BUCKETS = """
select
    count(*) filter (days <= 0),
    count(*) filter (days between 1 and 30),
    count(*) filter (days between 31 and 60),
    count(*) filter (days between 61 and 90),
    count(*) filter (days > 90)
from ({})"""


def test_every_shipped_source_can_be_read() -> None:
    assert source_names() == ["berka", "contract", "ondeck", "superlender"]
    for name in source_names():
        assert read_source(name, read_contract()).name == name


def test_a_source_with_an_unknown_key_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "source.toml").write_text(
        'zh = "行"\nen = "bank"\n[file.loans]\nname = "l.csv"\n[file.loans.column]\n'
        'id = { type = "key", requird = true }\n',
        encoding="utf-8",
    )
    with pytest.raises(
        UserError,
        match=r"source\.toml of bank is wrong.*unknown key file\.loans\.column\.id\.requird",
    ):
        read_source("bank", read_contract(), tmp_path)


def test_an_unknown_source_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        UserError, match="no source named nobank; known are berka, contract, ondeck, superlender"
    ):
        read_source("nobank", read_contract())


def test_superlenders_twelve_double_customers_do_not_fan_out(superlender: Loaded) -> None:
    edition, ask = superlender
    assert edition.facts["files"]["demographics"]["skips"] == {"duplicate_same": 12}
    assert ask("select count(*), count(distinct customer_key) from customer") == [(5433, 5433)]
    assert ask(
        "select count(*) from loan join customer using (customer_key) where outcome is not null"
    ) == [(4368,)]


def test_superlenders_borrowers_without_demographics_are_kept(superlender: Loaded) -> None:
    _, ask = superlender
    borrowers = (
        "select count(*) from loan join customer using (customer_key) where outcome is not null"
    )
    assert ask(f"{borrowers} and account_type is null") == [(1099,)]


def test_superlenders_outcomes_are_the_published_ones(superlender: Loaded) -> None:
    _, ask = superlender
    assert ask(
        "select outcome, count(*) from loan where outcome is not null group by 1 order by 1"
    ) == [
        ("good", 3416),
        ("bad", 952),
    ]


def test_superlenders_borrowers_with_earlier_loans_have_the_published_rates(
    superlender: Loaded,
) -> None:
    """Savings 618 of 2,565 = 24.09 %, permanent employment 479 of 2,335 = 20.51 %, of 3,264 loans
    of described borrowers.
    """
    _, ask = superlender
    described = """
from loan join customer using (customer_key)
where outcome is not null and account_type is not null
    and customer_key in (select customer_key from loan where outcome is null)"""
    assert ask(f"select count(*) {described}") == [(3264,)]
    counts = f"select count(*), count(*) filter (outcome = 'bad') {described}"
    assert ask(f"{counts} and account_type = 'Savings'") == [(2565, 618)]
    assert ask(f"{counts} and employment = 'employed'") == [(2335, 479)]


def test_superlenders_earlier_loans_closed_as_late_as_published(superlender: Loaded) -> None:
    _, ask = superlender
    late = "select closed_on - matures_on as days from loan where outcome is null"
    assert ask(BUCKETS.format(late)) == [(13742, 4308, 91, 25, 17)]


def test_superlenders_first_instalments_came_as_late_as_published(superlender: Loaded) -> None:
    _, ask = superlender
    late = """
select min(paid_on) - due_on as days
from instalment join payment using (loan_key)
where number = 1
group by loan_key, due_on"""
    assert ask(BUCKETS.format(late)) == [(15022, 3038, 85, 21, 17)]


def test_superlenders_borrowers_with_two_or_more_earlier_loans_are_as_published(
    superlender: Loaded,
) -> None:
    _, ask = superlender
    each = "select customer_key, count(*) as loans from loan where outcome is null group by 1"
    assert ask(f"select count(*) filter (loans >= 2), count(*) from ({each})") == [(2966, 4359)]


def test_superlenders_schedule_and_payments_add_up_to_what_was_due(superlender: Loaded) -> None:
    _, ask = superlender
    due = "select sum(principal + interest) from instalment"
    assert ask(f"select ({due}) = (select sum(amount) from payment)") == [(True,)]
    assert ask("select count(*) from payment where amount < 0") == [(0,)]


def test_berkas_loans_by_status_are_the_published_ones(berka: Loaded) -> None:
    _, ask = berka
    assert ask(
        "select status_code, count(*), sum(principal)::bigint from loan group by 1 order by 1"
    ) == [
        ("A", 203, 18_603_216),
        ("B", 31, 4_362_348),
        ("C", 403, 69_078_372),
        ("D", 45, 11_217_804),
    ]


def test_berkas_bad_loans_by_region_are_the_published_ones(berka: Loaded) -> None:
    _, ask = berka
    regions = ask(
        "select branch_1, count(*), count(*) filter (outcome = 'bad') from loan join branch using "
        "(branch_key) group by 1 order by 1"
    )
    assert regions == [
        ("Prague", 84, 7),
        ("central Bohemia", 90, 10),
        ("east Bohemia", 84, 9),
        ("north Bohemia", 61, 1),
        ("north Moravia", 117, 18),
        ("south Bohemia", 60, 9),
        ("south Moravia", 129, 13),
        ("west Bohemia", 57, 9),
    ]


def test_berkas_owner_is_the_borrower_and_every_client_is_a_customer(berka: Loaded) -> None:
    edition, ask = berka
    assert ask("select count(*) from customer") == [(5369,)]
    assert ask("select count(distinct customer_key) from loan") == [(682,)]
    assert edition.facts["files"]["transactions"]["loaded"] == 49102


def test_berkas_days_past_due_are_the_least_that_is_certain(berka: Loaded) -> None:
    _, ask = berka
    result = ask("""
select status_code, min(days_past_due) >= 1, max(days_past_due) > 31, bool_and(balance > 0)
from loan_snapshot join loan using (loan_key) group by 1 order by 1""")
    # D misses at least the latest monthly instalment, at most 31 days old; B the last one, on the
    # day the loan matured.
    assert result == [
        ("A", False, False, False),
        ("B", True, True, True),
        ("C", False, False, True),
        ("D", True, False, True),
    ]


def test_ondecks_three_incomplete_rows_are_refused_with_their_reason(ondeck: Loaded) -> None:
    edition, ask = ondeck
    assert edition.facts["files"]["loans"]["rejected"] == 3
    assert ask("select line, column_name, reason from rejected order by line") == [
        (8, "fico", "missing"),
        (138, "average_bank_balance__c", "missing"),
        (425, "new_outstanding_principal_balance", "below_min"),
    ]


def test_ondecks_count_roll_matrix_is_the_published_one(ondeck: Loaded) -> None:
    """Buckets [1, 5) [5, 10) [10, 30) [30, 60) [60, …): of 126 loans in the first, 27 cured: .21
    .41 .12 .25.
    """
    _, ask = ondeck
    bucket = (
        "(({0} >= 1)::int + ({0} >= 5)::int + ({0} >= 10)::int"
        " + ({0} >= 30)::int + ({0} >= 60)::int)"
    )
    result = ask(f"""
with pair as (
    select {bucket.format("old.days_past_due")} as was, {bucket.format("new.days_past_due")} as now
    from loan_snapshot as old
    join loan_snapshot as new on new.loan_key = old.loan_key and new.as_of = date '2012-11-30'
    where old.as_of = date '2012-10-31'
)
select was, now, round(count(*) / sum(count(*)) over (partition by was), 2)
from pair
group by was, now
order by was, now""")
    assert result == [
        (1, 0, 0.21), (1, 1, 0.41), (1, 2, 0.12), (1, 3, 0.25),
        (2, 0, 0.06), (2, 1, 0.03), (2, 2, 0.38), (2, 3, 0.53),
        (3, 0, 0.08), (3, 2, 0.02), (3, 3, 0.38), (3, 4, 0.53),
        (4, 0, 0.06), (4, 4, 0.47), (4, 5, 0.48),
        (5, 0, 0.15), (5, 5, 0.85),
    ]  # fmt: skip
