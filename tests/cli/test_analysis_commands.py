"""The commands of analysis: what they print is what the library answers, and wrong use is one line and exit code 2."""

import json
from datetime import date

import pytest

from analytics.__main__ import main
from analytics.analysis.attribution import bridge
from analytics.analysis.migration import MigrationQuery, flows
from analytics.metrics.query import ask
from analytics.metrics.question import Question
from data.editions.reader import Warehouse

PAIR = ("--from", "2025-10-31", "--to", "2026-10-31")
LAST, YEAR = date(2026, 10, 31), date(2025, 10, 31)


@pytest.fixture
def told(demo_home, capsys):
    def run(*command):
        code = main([*command, "--home", str(demo_home)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture(scope="module")
def bank(demo_home):
    bank = Warehouse(demo_home, verify="fingerprint")
    yield bank
    bank.close()


EVERY = [
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


@pytest.mark.parametrize("form", ["table", "csv", "json"])
@pytest.mark.parametrize("command", EVERY, ids=lambda command: command[0])
def test_every_command_answers_in_every_format(told, command, form):
    code, out, err = told(*command, "--format", form)
    assert (code, err) == (0, "")
    assert out.strip()
    if form == "json":
        json.loads(out)


def test_the_bridge_of_the_command_line_is_the_bridge(told, bank):
    _, out, _ = told(*EVERY[0], "--format", "json")
    found = bridge(bank, Question("overdue_rate_30", LAST, by=("class", "branch_1")), YEAR)
    answer = json.loads(out)
    assert answer["change"] == pytest.approx(found.change)
    assert abs(answer["residual"]) < 1e-9
    assert [part["effect"] for part in answer["parts"]] == pytest.approx(
        list(found.parts["effect"])
    )


def test_the_flows_and_their_lists_are_those_of_the_library(told, bank):
    found = flows(bank, MigrationQuery(Question("loans", LAST), YEAR))
    answer = json.loads(told("flows", *PAIR, "--format", "json")[1])
    assert answer["closing"] == pytest.approx(float(found.closing))
    counts = dict(zip(found.terms["term"], found.terms["loans"], strict=True))
    listed = json.loads(
        told("flows", *PAIR, "--list", "rolled_in", "--limit", "9999", "--format", "json")[1]
    )
    assert len(listed["list"]) == counts["rolled_in"]
    assert all("*" in loan["name"] for loan in listed["list"])


def test_the_list_of_a_cell_comes_in_pages_with_its_n(told, bank):
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
    answer = ask(bank, Question("overdue_rate_30", LAST, by=("class",))).set_index("class")
    pages = [json.loads(told(*cell, "--limit", "100", "--offset", str(at))[1]) for at in (0, 100)]
    assert {page["n"] for page in pages} == {answer.loc["C", "n"]}
    numbers = [loan["loan_id"] for page in pages for loan in page["list"]]
    assert len(numbers) == len(set(numbers)) == min(200, answer.loc["C", "n"])


@pytest.mark.parametrize(
    ("command", "said"),
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
def test_wrong_use_is_one_line_and_exit_code_two(told, command, said):
    code, out, err = told(*command)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
