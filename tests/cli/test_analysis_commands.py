"""The commands of analysis print what the library answers; wrong use exits with code 2."""

import json
from collections.abc import Callable, Generator
from datetime import date
from pathlib import Path

import pytest

from analytics.__main__ import main
from analytics.analysis.attribution import bridge
from analytics.analysis.migration import MigrationQuery, overdue_rollforward
from analytics.metrics.query import ask
from analytics.metrics.question import Question
from data.editions.reader import Warehouse

PAIR = ("--from", "2025-10-31", "--to", "2026-10-31")
LAST = date(2026, 10, 31)
YEAR_BEFORE = date(2025, 10, 31)


COMMANDS: list[tuple[str, ...]] = [
    ("bridge", "overdue_rate_30", *PAIR, "--by", "class", "--then", "branch_1"),
    ("flows", *PAIR),
    ("noise", "overdue_rate_30", *PAIR, "--by", "class", "--draws", "50"),
    ("sentence", "overdue_rate_30", *PAIR),
    ("migration", *PAIR),
    ("rates", *PAIR),
    ("roll", "--as-of", "2026-10-31", "--from", "2026-09-30"),
    ("roll", "--as-of", "2026-10-31", "--last", "3"),
    ("vintage", "--as-of", "2026-10-31", "--by", "channel"),
    ("first-payment", "--as-of", "2026-10-31"),
    ("curve", "--as-of", "2026-10-31", "--by", "class"),
    ("forecast", "--as-of", "2026-10-31", "--by", "bucket", "--measure", "balance"),
    ("list", "overdue_rate_30", "--as-of", "2026-10-31", "--cell", "class=D", "--hit"),
    ("migration", *PAIR, "--cell", "before=C", "after=D"),
    ("rates", *PAIR, "--cell", "rate=normal_loans"),
    ("roll", "--as-of", "2026-10-31", "--from", "2026-09-30", "--cell", "before=m1"),
    ("vintage", "--as-of", "2026-10-31", "--cell", "cohort=2025-10-01", "month=6"),
    ("first-payment", "--as-of", "2026-10-31", "--cell", "cohort=2025-10-01", "judged=yes"),
    ("curve", "--as-of", "2026-10-31", "--cell", "back=yes"),
]


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(demo_home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command and return its exit code, standard output and standard error."""

    def run_command(*command: str) -> tuple[int, str, str]:
        code = main([*command, "--home", str(demo_home)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run_command


@pytest.fixture(scope="module")
def warehouse(demo_home: Path) -> Generator[Warehouse]:
    """The invented bank."""
    opened = Warehouse(demo_home)
    yield opened
    opened.close()


@pytest.mark.parametrize("form", ["table", "csv", "json"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_answers_in_every_format(
    run: Run, command: tuple[str, ...], form: str
) -> None:
    code, out, err = run(*command, "--format", form)
    assert (code, err) == (0, "")
    assert out.strip()
    if form == "json":
        json.loads(out)


def test_the_bridge_of_the_command_line_is_the_bridge(run: Run, warehouse: Warehouse) -> None:
    _, out, _ = run(*COMMANDS[0], "--format", "json")
    result = bridge(
        warehouse, Question("overdue_rate_30", LAST, by=("class", "branch_1")), YEAR_BEFORE
    )
    answer = json.loads(out)
    assert answer["change"] == pytest.approx(result.change)
    assert abs(answer["residual"]) < 1e-9
    assert [part["effect"] for part in answer["parts"]] == pytest.approx(
        list(result.parts["effect"])
    )


def test_the_flows_and_their_lists_are_those_of_the_library(run: Run, warehouse: Warehouse) -> None:
    result = overdue_rollforward(warehouse, MigrationQuery(Question("loans", LAST), YEAR_BEFORE))
    answer = json.loads(run("flows", *PAIR, "--format", "json")[1])
    assert answer["closing"] == pytest.approx(float(result.closing))
    counts = dict(zip(result.terms["term"], result.terms["loans"], strict=True))
    options = ("--list", "rolled_in", "--limit", "9999", "--format", "json")
    loans = json.loads(run("flows", *PAIR, *options)[1])["list"]
    assert len(loans) == counts["rolled_in"]
    assert all("*" in loan["name"] for loan in loans)


def test_the_list_of_a_cell_comes_in_pages_with_its_n(run: Run, warehouse: Warehouse) -> None:
    cell = (
        "list",
        "overdue_rate_30",
        "--as-of",
        "2026-10-31",
        "--cell",
        "class=C",
        "--format",
        "json",
    )
    answer = ask(warehouse, Question("overdue_rate_30", LAST, by=("class",))).set_index("class")
    pages = [json.loads(run(*cell, "--limit", "100", "--offset", str(at))[1]) for at in (0, 100)]
    assert {page["n"] for page in pages} == {answer.loc["C", "n"]}
    numbers = [loan["loan_id"] for page in pages for loan in page["list"]]
    assert len(numbers) == len(set(numbers)) == min(200, answer.loc["C", "n"])


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("list", "overdue_rate_30", "--as-of", "2026-10-31", "--cell", "class=Z"), "no value 'Z'"),
        (("list", "overdue_rate_30", "--as-of", "2026-10-31", "--offset", "-1"), "whole number"),
        (("curve", "--as-of", "2026-10-31", "--cell", "colour=red"), "no 'colour'"),
        (
            (
                "bridge",
                "overdue_rate_30",
                "--from",
                "2025-10-30",
                "--to",
                "2026-10-31",
                "--by",
                "class",
            ),
            "2025-10-31",
        ),
        (("bridge", "overdue_rates", *PAIR, "--by", "class"), "did you mean"),
        (("bridge", "overdue_rate_30", *PAIR, "--by", "shoe_size"), "shoe_size"),
        (("flows", "--from", "yesterday", "--to", "2026-10-31"), "YYYY-MM-DD"),
        (("noise", "overdue_rate_30", *PAIR, "--draws", "0"), "whole number"),
        (("roll", "--as-of", "2026-10-31"), "--from"),
        (("migration", *PAIR, "--where", "channel"), "col=value"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_two(
    run: Run, command: tuple[str, ...], message: str
) -> None:
    code, out, err = run(*command)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
