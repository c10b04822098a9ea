"""Making an older edition current again."""

from pathlib import Path

import pytest

from data.editions import store
from data.editions.reader import Warehouse
from data.errors import UserError
from tests.support.damage import flip_bit, newest_part
from tests.support.disk_faults import publish, served


def test_a_rollback_serves_the_old_edition_and_the_next_number_goes_on(home: Path) -> None:
    first = publish(home, 1)
    second = publish(home, 2)
    warehouse = Warehouse(home)
    assert store.rollback(home, first.id[:8]).number == 1
    assert warehouse.refresh()
    assert warehouse.one("select max(load) from loan_month") == (1,)
    assert [edition.id for edition in store.history(home)] == [first.id, second.id]
    assert publish(home, 3).number == 3
    assert store.rollback(home, second.id).number == 2
    assert served(home) == (2, None)
    warehouse.close()


def test_after_a_rollback_nothing_falls_back_to_the_withdrawn_edition(home: Path) -> None:
    publish(home, 1)
    target = publish(home, 2)
    publish(home, 3)
    store.rollback(home, target.id)
    (home / "CURRENT").unlink()
    assert served(home)[0] == 1


@pytest.mark.parametrize("id", ["zzzz", ""])
def test_a_rollback_to_an_unknown_edition_lists_the_editions(home: Path, id: str) -> None:
    edition = publish(home, 1)
    with pytest.raises(UserError, match=edition.id):
        store.rollback(home, id)


def test_a_rollback_to_a_damaged_edition_is_refused(home: Path) -> None:
    first = publish(home, 1)
    part = newest_part(home)
    publish(home, 2)
    flip_bit(part, 300_000)
    with pytest.raises(UserError, match="damaged"):
        store.rollback(home, first.id)
    assert served(home) == (2, None)
