"""What the loads found in the books: the board of the data page, the line of the overview."""

from collections.abc import Callable
from pathlib import Path

import pytest

from analytics.i18n.text import LANGUAGES, say
from analytics.marts.build import build
from data.loading.pipeline import load
from data.loading.plan import Overrides
from data.messages import effect_in, note_in
from tests.conftest import FillHome
from tests.support.deliveries import AS_OF, write
from tests.support.page_text import OpenPage, page_html

LOAN = (
    "loan_id,customer_id,principal,disbursed_on,closed_on,rate\n"
    "L1,C1,1000.00,2024-01-10,,3.85\n"
    "L2,C2,3000.00,2024-01-10,2024-03-20,3.1\n"
)
# L1 and L2 have no row in February, L2 has a balance after its closing.
SNAPSHOT = (
    "as_of,loan_id,balance,days_past_due\n"
    "2024-01-31,L1,1000.00,0\n2024-01-31,L2,3000.00,0\n"
    "2024-03-31,L1,900.00,0\n2024-03-31,L2,3000.00,40\n"
)


def fill(home: Path) -> None:
    """Load the delivery; a named person lets it pass."""
    delivery = write(home.parent / "in", loan=LOAN, loan_snapshot=SNAPSHOT)
    overrides = Overrides(approved_by="Li Wei")
    load(delivery, "contract", home, build_marts=build, as_of=AS_OF, overrides=overrides)


@pytest.fixture(scope="module")
def held_home(once: Callable[[str, FillHome], Path]) -> Path:
    """Return a bank whose delivery was held and let pass."""
    return once("held", fill)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_data_page_lists_what_was_let_pass_first(
    app: OpenPage, held_home: Path, lang: str
) -> None:
    """4,000.00 is 1,000.00 + 3,000.00: the balances before the missing month, each loan once."""
    test = app("about/data", home=held_home, lang=lang)
    finding = say("data.finding", lang)
    board = next(frame.value for frame in test.dataframe if finding in frame.value)
    codes = ["rate_unit", "snapshots_missing", "balance_after_end"]
    assert list(board[finding]) == [note_in(code, lang) for code in codes]
    assert list(board[say("data.count", lang)]) == ["2", "2", "1"]
    assert list(board[say("data.balance", lang)]) == ["4,000.00", "4,000.00", "3,000.00"]
    assert list(board[say("data.changes", lang)]) == [effect_in(code, lang) for code in codes]
    assert list(board[say("data.accepted_by", lang)]) == ["Li Wei", "Li Wei", ""]
    assert say("data.findings", lang, count=3, held=2) in page_html(test)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_finding_opens_its_places(app: OpenPage, held_home: Path, lang: str) -> None:
    test = app("about/data", home=held_home, lang=lang)
    test.selectbox(key=f"finding_{lang}").select_index(1).run()
    head = say("data.id", lang)
    places = next(frame.value for frame in test.dataframe if head in frame.value)
    assert list(places[head]) == ["L1", "L2"]
    assert list(places[say("data.day", lang)]) == ["2024-02-29"] * 2
    assert list(places[say("data.amount", lang)]) == ["1,000.00", "3,000.00"]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_invariants_hold_of_what_was_compared_and_name_what_was_held(
    app: OpenPage, held_home: Path, lang: str
) -> None:
    body = page_html(app("about/data", home=held_home, lang=lang))
    assert say("data.checks_hold", lang, count=7) not in body
    assert note_in("snapshots_missing", lang) in body


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_overview_has_one_line_where_something_was_let_pass(
    app: OpenPage, held_home: Path, lang: str
) -> None:
    line = say("data.overview_held", lang, names="Li Wei", count=2)
    assert line in page_html(app("overall/overview", home=held_home, lang=lang))
    assert line not in page_html(app("overall/overview", lang=lang))
