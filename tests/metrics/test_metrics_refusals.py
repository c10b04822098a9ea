"""`ask` on the command line: one line and exit code 2 for an invalid question; the formats."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from analytics.__main__ import main

Ask = Callable[..., tuple[int, str, str]]


ROOT = Path(__file__).parents[2]
TODAY = "2026-10-31"


@pytest.fixture
def query(small_home: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run `ask` with the given words; exit code, stdout, stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["ask", *words, "--home", str(small_home)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.mark.parametrize(
    ("words", "actual"),
    [
        (["overdue_rat", "--as-of", TODAY], "did you mean 'overdue_rate'"),
        (["balance", "--as-of", TODAY, "--by", "planet"], "no split 'planet'"),
        (["balance", "--as-of", TODAY, "--where", "planet=earth"], "no split 'planet'"),
        (["balance", "--as-of", "2026-10-30"], "the nearest is 2026-10-31"),
        (["balance", "--as-of", "2027-10-31"], "the nearest is 2026-10-31"),
        (["balance", "--as-of", "2025-06-30"], "the nearest is 2025-07-31"),
        (["balance", "--as-of", "yesterday"], "not 'yesterday'"),
        (["balance", "--as-of", "2026-02-30"], "not '2026-02-30'"),
        (
            ["balance", "--as-of", TODAY, "--by", "class", "--scheme", "zodiac"],
            "no scheme 'zodiac'",
        ),
        (["balance", "--as-of", TODAY, "--where", "family=castle"], "no value 'castle'"),
        (["balance", "--as-of", TODAY, "--where", "branch_1=Q"], "no value 'Q'"),
        (["balance", "--as-of", TODAY, "--where", "class=E"], "no value 'E'"),
        (["balance", "--as-of", TODAY, "--where", "family"], "written col=value"),
        (["balance", "--as-of", TODAY, "--where", "=home"], "written col=value"),
        (["balance", "--as-of", TODAY, "--opening", "2"], "opening is 0, 1, 3 or 12"),
        (["balance", "--as-of", TODAY, "--last", "0"], "at least 1"),
        (["balance", "--as-of", TODAY, "--last", "x"], "not a valid integer"),
        (["balance", "--as-of", TODAY, "--compare", "wow"], "'wow' is not one of"),
        (
            ["balance", "--as-of", TODAY, "--compare", "mom", "--last", "3"],
            "several month ends cannot be asked for",
        ),
        (["balance", "--as-of", "2025-07-31", "--compare", "mom"], "no month to compare"),
        (["balance", "--as-of", TODAY, "--by", "family,family"], "named twice"),
        (
            ["customers", "--as-of", TODAY, "--by", "product"],
            "may not honestly be split by product",
        ),
        (
            ["customers", "--as-of", TODAY, "--where", "channel=mobile"],
            "may not honestly be split by channel",
        ),
        (["lent", "--as-of", TODAY, "--by", "class"], "may not honestly be split by class"),
        (
            ["contribution_net", "--as-of", "2026-06-30"],
            "the first month end that can be answered is 2026-07-31",
        ),
        (
            ["balance", "--as-of", "2025-09-30", "--by", "class"],
            "the first month end that can be answered is 2025-10-31",
        ),
        (["balance"], "--as-of"),
        (["balance", "--as-of", TODAY, "--format", "poem"], "'poem' is not one of"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_an_invalid_question_gets_one_line_and_exit_code_2(
    query: Ask, words: list[str], actual: str
) -> None:
    code, out, err = query(*words)
    assert (code, out) == (2, "")
    assert actual in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize("scheme", ["value_three", "risk_four", "consumer_five"])
def test_a_scheme_is_answered_or_refused_by_name_and_never_by_the_database(
    query: Ask, scheme: str
) -> None:
    code, _, err = query(
        "balance", "--as-of", TODAY, "--by", "class", "--scheme", scheme, "--opening", "0"
    )
    assert code == 0 or (code == 2 and scheme in err and "Error" not in err)


@pytest.mark.parametrize(
    "value",
    [
        "x') or 1=1 --",
        "home'",
        "home' or 'a'='a",
        "home;drop table loan_month",
        ":as_of",
        "$as_of",
        "home\x00",
        "％",
    ],
)
def test_a_value_is_never_read_as_sql(query: Ask, value: str) -> None:
    code, out, err = query("balance", "--as-of", TODAY, "--where", f"family={value}")
    assert (code, out) == (2, "")
    assert "has no value" in err
    assert err.count("\n") == 1


def test_a_split_is_never_read_as_sql(query: Ask) -> None:
    code, _, err = query("balance", "--as-of", TODAY, "--by", "family from loan_month --")
    assert code == 2
    assert "There is no split" in err


def test_a_home_without_an_edition_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["ask", "balance", "--as-of", TODAY, "--home", str(tmp_path / "nowhere")])
    err = capsys.readouterr().err
    assert code == 2
    assert "Load a delivery first" in err
    assert err.count("\n") == 1


def test_the_program_itself_ends_with_exit_code_2_and_no_traceback(small_home: Path) -> None:
    words = [
        "ask",
        "balance",
        "--as-of",
        TODAY,
        "--where",
        "family=x') or 1=1 --",
        "--home",
        str(small_home),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "analytics", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


# ---------- the formats


def test_json_is_a_list_of_objects_with_the_splits_and_the_four_figures(query: Ask) -> None:
    code, out, _ = query(
        "overdue_rate",
        "--as-of",
        TODAY,
        "--by",
        "branch_1,class",
        "--opening",
        "0",
        "--format",
        "json",
    )
    answer = json.loads(out)
    assert code == 0
    assert [list(row) for row in answer] == [
        ["branch_1", "class", "numerator", "denominator", "value", "n"]
    ] * len(answer)
    # North, B: C1 45,000 + 4,550 (past due) and C7 6,000
    assert {
        "branch_1": "N",
        "class": "B",
        "numerator": 4_550,
        "denominator": 55_550,
        "value": 4_550 / 55_550,
        "n": 3,
    } in answer


def test_json_has_null_for_an_unknown_value(query: Ask) -> None:
    _, out, _ = query("reloan_rate_365", "--as-of", "2026-09-30", "--format", "json")
    assert json.loads(out) == [{"numerator": 0, "denominator": 0, "value": None, "n": 0}]


def test_json_of_several_months_gives_dates(query: Ask) -> None:
    _, out, _ = query("loans", "--as-of", TODAY, "--last", "2", "--format", "json")
    # September: L1, L2, L3, L5, L6, L8, L10, L12; October the same
    assert [(row["as_of"], row["value"], row["denominator"]) for row in json.loads(out)] == [
        ("2026-09-30", 8, None),
        (TODAY, 8, None),
    ]


def test_json_of_a_comparison_sets_both_months_side_by_side(query: Ask) -> None:
    _, out, _ = query(
        "loans", "--as-of", "2026-07-31", "--by", "family", "--compare", "mom", "--format", "json"
    )
    gone = next(row for row in json.loads(out) if row["family"] == "education")
    assert (gone["n"], gone["n_before"], gone["value"], gone["value_before"], gone["change"]) == (
        0,
        1,
        None,
        1,
        None,
    )


def test_csv_holds_the_same_figures(query: Ask) -> None:
    _, out, _ = query("balance", "--as-of", TODAY, "--by", "family", "--format", "csv")
    table = {row["family"]: float(row["value"]) for row in csv.DictReader(io.StringIO(out))}
    assert table == {"home": 45_000, "consumer": 24_550, "car": 12_000, "business": 34_000}


def test_an_empty_answer_says_so(query: Ask) -> None:
    code, out, _ = query("new_customers", "--as-of", TODAY, "--by", "class")
    assert (code, out) == (0, "(no rows)\n")


def test_the_sql_option_prints_the_query_with_values_bound(query: Ask) -> None:
    code, out, _ = query("balance", "--as-of", TODAY, "--where", "family=home", "--sql")
    body, values = out.split("\n-- ")
    assert code == 0
    assert "home" not in body
    assert "home" in values


def test_metrics_lists_every_metric_with_its_splits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "--format", "json"]) == 0
    metric_rows = {row["metric"]: row for row in json.loads(capsys.readouterr().out)}
    assert "product" in metric_rows["overdue_rate"]["splits"].split(",")
    assert "product" not in metric_rows["customers"]["splits"].split(",")
