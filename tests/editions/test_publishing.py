"""How an edition is published: chains, facts, refusals, order, one writer."""

import os
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from data.editions import manifest, store
from data.editions.connection import QueryError
from data.editions.part_writer import BuildSession
from data.editions.reader import EditionReader, Warehouse
from data.errors import UserError
from tests.support.damage import flip_bit, newest_part
from tests.support.disk_faults import FEBRUARY, JANUARY, MARCH, ROWS, publish, served, small


def test_a_full_load_starts_a_new_chain_and_an_increment_extends_it(home: Path) -> None:
    first = publish(home, 1)
    second = publish(home, 2, FEBRUARY, kind="increment")
    third = publish(home, 3, MARCH)
    assert [len(edition.parts) for edition in (first, second, third)] == [1, 2, 1]
    assert second.parts[0] == first.parts[0]
    assert second.months == (JANUARY, FEBRUARY)
    assert (second.as_of, second.number) == (FEBRUARY, 2)
    assert (second.kind, second.source) == ("increment", "test")
    assert third.months == (MARCH,)
    assert store.history(home) == [first, second, third]


def test_facts_of_build_and_check_are_stored_with_the_edition(home: Path) -> None:
    def check(candidate: EditionReader) -> dict[str, Any]:
        return {"rows": len(candidate.query("select * from loan_month"))}

    def build(session: BuildSession) -> dict[str, Any]:
        return small(1)(session) | {"notes": ["2 records skipped"], "source": "superlender"}

    store.publish(home, build, check, kind="full")
    warehouse = Warehouse(home)
    assert warehouse.edition.facts == {"rows": ROWS}
    assert warehouse.edition.notes == ("2 records skipped",)
    assert warehouse.edition.source == "superlender"
    warehouse.close()


def test_a_part_never_changes_after_its_rename(home: Path) -> None:
    publish(home, 1)
    part = newest_part(home)
    before = manifest.file_fingerprint(part)
    for load, month in [(2, FEBRUARY), (3, MARCH)]:
        publish(home, load, month, kind="increment")
    assert manifest.file_fingerprint(part) == before
    assert part.stat().st_mode & 0o777 == 0o440
    assert part.name == f"{manifest.Digests().sha256(part)[:16]}.duckdb"
    assert list((home / "building").iterdir()) == []


def test_an_increment_needs_an_edition(home: Path) -> None:
    with pytest.raises(UserError, match="Load a full delivery first"):
        publish(home, 1, kind="increment")


def test_a_month_that_is_in_the_chain_already_is_refused(home: Path) -> None:
    # The views are unions: the month would count twice.
    publish(home, 1, FEBRUARY)
    for month in (JANUARY, FEBRUARY):
        with pytest.raises(UserError, match="count twice"):
            publish(home, 2, month, kind="increment")
    assert served(home) == (1, None)


def test_an_increment_on_a_damaged_chain_is_refused(home: Path) -> None:
    publish(home, 1)
    flip_bit(newest_part(home), 300_000)
    with pytest.raises(UserError, match="damaged"):
        publish(home, 2, FEBRUARY, kind="increment")


@pytest.mark.parametrize(
    "error",
    [
        UserError("no_history"),
        ValueError("a slip"),
        FileNotFoundError(2, "gone", "loan.csv"),
        KeyboardInterrupt(),
    ],
)
@pytest.mark.parametrize("where", ["build", "check"])
def test_an_error_in_build_or_check_publishes_nothing_and_goes_through_unchanged(
    home: Path, where: str, error: BaseException
) -> None:
    publish(home, 1)

    def build(session: BuildSession) -> dict[str, Any]:
        facts = small(2)(session)
        if where == "build":
            raise error
        return facts

    def check(candidate: EditionReader) -> None:
        if where == "check":
            raise error

    with pytest.raises(type(error)) as refusal:
        store.publish(home, build, check, kind="full")
    assert refusal.value is error
    assert served(home) == (1, None)
    assert list((home / "building").iterdir()) == []
    assert len(list((home / "parts").iterdir())) == 1


def test_ctrl_c_ends_a_load_at_once_and_publishes_nothing(home: Path) -> None:
    publish(home, 1)
    # A shell starts background processes with SIGINT ignored, and the test may be one.
    previous_handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    killer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))

    def endless(session: BuildSession) -> None:
        killer.start()
        # Ends by itself after about twenty seconds, so that a failing test ends too.
        session.run(
            "create table part.history.t as "
            "select count(*) as n from range(3000000000) as r(i) where i % 7 = 3"
        )

    started = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            store.publish(home, endless, kind="full")
    finally:
        signal.signal(signal.SIGINT, previous_handler)
    assert time.monotonic() - started < 10
    assert served(home) == (1, None)
    assert list((home / "building").iterdir()) == []


def test_the_check_sees_the_whole_candidate_chain_read_only(home: Path) -> None:
    publish(home, 1)
    counts = []

    def check(candidate: EditionReader) -> dict[str, Any]:
        counts.append(candidate.one("select count(*) from loan_month"))
        with pytest.raises(QueryError):
            candidate.query("drop table branch")
        return {}

    store.publish(home, small(2, FEBRUARY), check, kind="increment")
    assert counts == [(2 * ROWS,)]


def test_editions_are_ordered_by_number_though_the_clock_goes_back(home: Path) -> None:
    late = publish(home, 1, created=datetime(2031, 1, 1, tzinfo=UTC))
    early = publish(home, 2, created=datetime(2001, 1, 1, tzinfo=UTC))
    assert [edition.id for edition in store.history(home)] == [late.id, early.id]
    assert served(home) == (2, None)


def test_a_second_writer_at_the_same_time_is_refused(home: Path) -> None:
    publish(home, 1)
    inside = threading.Event()
    go_on = threading.Event()

    def slow(session: BuildSession) -> dict[str, Any]:
        inside.set()
        go_on.wait(10)
        return small(2)(session)

    first = threading.Thread(target=store.publish, args=(home, slow), kwargs={"kind": "full"})
    first.start()
    inside.wait(10)
    for act in (
        lambda: publish(home, 3),
        lambda: store.rollback(home, "a"),
        lambda: store.sweep(home),
    ):
        with pytest.raises(UserError, match=f"Another load is running .*process {os.getpid()}"):
            act()
    go_on.set()
    first.join()
    assert served(home) == (2, None)
