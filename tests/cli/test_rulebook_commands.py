"""The rulebooks on the command line, as an officer uses it."""

import csv
import io
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Protocol

import pytest

from analytics import rulebooks
from analytics.__main__ import main
from data.editions.reader import Warehouse

LAST = "2026-10-31"
COMPARE = ("compare", "--scheme", "abcd")
ABCD = rulebooks.FOLDER / "abcd" / "1990-01-01.toml"


class Printed(Protocol):
    """What a command printed."""

    @property
    def out(self) -> str: ...

    @property
    def err(self) -> str: ...


Run = Callable[..., Printed]


@pytest.fixture
def run(demo_home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command, which must end with the exit code `code`, and return what it printed."""

    def run_command(*words: str, code: int = 0) -> Printed:
        needs_home = words[0] in ("explain", "compare", "compliance")
        home = ["--home", str(demo_home)] if needs_home else []
        assert main([*words, *home]) == code
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        if code == 2:
            assert len(printed.err.strip().split("\n")) == 1
        return printed

    return run_command


def test_schemes_lists_every_edition(run: Run) -> None:
    rows = json.loads(run("schemes", "--format", "json", "--lang", "en").out)
    assert {(row["scheme"], row["edition"]) for row in rows} == {
        (book.id, book.effective_on.isoformat())
        for scheme in rulebooks.read_schemes().values()
        for book in scheme.editions
    }


@pytest.fixture(scope="module")
def customer_of(demo_home: Path) -> dict[str, dict[str, str]]:
    """Scheme → class → a customer of the invented bank who is in it."""
    warehouse = Warehouse(demo_home)
    schemes = rulebooks.read_schemes().values()
    customers = {}
    for scheme in (scheme.id for scheme in schemes if scheme.grain == "customer"):
        rows = warehouse.query(
            f"select cast({scheme} as varchar) as class, min(customer_id) as customer_id "
            "from customer_month join customer_number using (customer_key) "
            "where as_of = $as_of group by 1",
            as_of=date.fromisoformat(LAST),
        )
        customers[scheme] = dict(zip(rows["class"], rows["customer_id"], strict=True))
    warehouse.close()
    return customers


@pytest.mark.parametrize(
    "scheme",
    [
        "abcd",
        "consumer_five",
        "consumer_three",
        "risk_four",
        "value_three",
        "rating",
        "risk_warning",
    ],
)
def test_explain_gives_the_stored_class_with_reasons_for_a_customer_of_every_class(
    run: Run, customer_of: dict[str, dict[str, str]], scheme: str
) -> None:
    book = rulebooks.read_schemes()[scheme].editions[-1]
    assert {*customer_of[scheme]} >= {*book.class_codes[:-1]}
    options = ("--scheme", scheme, "--as-of", LAST, "--format", "json")
    for code, customer in customer_of[scheme].items():
        answer = json.loads(run("explain", customer, *options).out)[0]
        assert answer["class"] == answer["class_kept"] == code
        assert answer["missing"] if code == "unrated" else answer["boundary"]
        has_applied = any(step["applied"] for step in answer["trace"])
        assert has_applied or code in (book.otherwise, "unrated")


def test_explain_in_words_names_clause_value_and_boundary(
    run: Run, customer_of: dict[str, dict[str, str]]
) -> None:
    options = ("--scheme", "abcd", "--as-of", LAST, "--lang", "en")
    out = run("explain", customer_of["abcd"]["D"], *options).out
    assert "class: D D risk" in out
    assert "nearest up: " in out


def test_explain_of_a_scheme_of_loans_explains_every_loan(run: Run, demo_home: Path) -> None:
    warehouse = Warehouse(demo_home)
    row = warehouse.one(
        "select customer_id, count(distinct loan_key) from loan_month "
        "join customer_number using (customer_key) "
        "where as_of = $as_of group by customer_id order by 2 desc, 1 limit 1",
        as_of=date.fromisoformat(LAST),
    )
    warehouse.close()
    assert row is not None
    customer, loans = row
    options = ("--scheme", "loan_five", "--as-of", LAST, "--format", "json")
    answers = json.loads(run("explain", customer, *options).out)
    assert len(answers) == loans > 1


def stricter_abcd() -> str:
    """The rulebook abcd whose class D begins above 30 days instead of 90, with its examples."""
    text = ABCD.read_text("utf-8")
    start = text.index("# 示例")
    rules = text[:start].replace("max_days_past_due_12m > 90", "max_days_past_due_12m > 30")
    # The example of 60 days would be class D now, and that of 61 days is.
    examples = text[start:].replace(
        'max_days_past_due_12m = 60 }\nclass   = "B"\nbecause = ["三(一)1"]',
        'max_days_past_due_12m = 30 }\nclass   = "B"\nbecause = ["三(一)1"]',
    )
    examples = examples.replace(
        'max_days_past_due_12m = 61 }\nclass  = "C"', 'max_days_past_due_12m = 61 }\nclass  = "D"'
    )
    return rules + examples


def test_compare_adds_up(run: Run, tmp_path: Path) -> None:
    after = tmp_path / "new.toml"
    after.write_text(stricter_abcd(), encoding="utf-8")
    editions = ("--from", "1990-01-01", "--to", str(after))
    command = ("compare", "--scheme", "abcd", *editions, "--as-of", LAST)
    totals = list(csv.DictReader(io.StringIO(run(*command, "--totals", "--format", "csv").out)))
    customers = sum(int(row["n_from"]) for row in totals)
    assert customers == sum(int(row["n_to"]) for row in totals)
    for row in totals:
        difference = int(row["swapped_in"]) - int(row["swapped_out"])
        assert int(row["n_to"]) == int(row["n_from"]) + difference
    cells = list(csv.DictReader(io.StringIO(run(*command, "--format", "csv").out)))
    assert sum(int(row["n"]) for row in cells) == customers


def test_check_passes_a_shipped_rulebook(run: Run) -> None:
    assert "12 个示例全部符合" in run("check", str(ABCD)).out


def test_check_refuses_a_broken_one_with_file_and_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(
        ABCD.read_text("utf-8").replace("> 90", "＞ 90"), encoding="utf-8"
    )
    err = run("check", str(tmp_path / "bad.toml"), "--lang", "en", code=1).err
    assert err.startswith("bad.toml, line ")
    assert "full-width" in err


def test_check_of_the_service_rules_passes_them_and_refuses_a_misspelt_fact(
    run: Run, tmp_path: Path
) -> None:
    file = rulebooks.FOLDER / "service.toml"
    assert run("check", str(file)).out.startswith("通过：五类客户持有")
    bad = tmp_path / "service.toml"
    bad.write_text(
        file.read_text("utf-8").replace('"family = home"', '"famly = home"'), encoding="utf-8"
    )
    assert "did you mean family" in run("check", str(bad), "--lang", "en", code=1).err


def test_check_of_a_missing_file_is_refused(run: Run, tmp_path: Path) -> None:
    assert "none.toml" in run("check", str(tmp_path / "none.toml"), "--lang", "en", code=2).err


def test_classify_prints_the_good_rows_and_says_that_others_are_refused(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "facts.csv").write_text(
        "id,max_days_past_due_12m\n1,120\n2,many\n", encoding="utf-8"
    )
    options = ("--scheme", "abcd", "--facts", str(tmp_path / "facts.csv"), "--format", "csv")
    printed = run("classify", *options, code=1)
    rows = list(csv.DictReader(io.StringIO(printed.out)))
    assert [row["class"] for row in rows] == ["D", ""]
    assert rows[0]["clauses"] == "三(一)1a"
    assert "1 of 2 rows" in printed.err


def test_compliance_counts_and_lists(run: Run) -> None:
    command = ("compliance", "--as-of", LAST, "--format", "json")
    counts = json.loads(run(*command).out)
    worst = max(counts, key=lambda row: row["breaches"])
    breaches = json.loads(run(*command, "--rule", worst["rule"]).out)
    assert len(breaches) == worst["breaches"] > 0


@pytest.mark.parametrize(
    "words",
    [
        ("explain", "nobody", "--scheme", "abcd", "--as-of", LAST),
        ("explain", "C1", "--scheme", "none", "--as-of", LAST),
        ("explain", "C1", "--scheme", "abcd", "--as-of", "2019-01-31"),
        ("explain", "C1", "--scheme", "abcd", "--as-of", "yesterday"),
        (*COMPARE, "--from", "1991-01-01", "--to", "1990-01-01", "--as-of", LAST),
        (*COMPARE, "--from", "1990-01-01", "--to", "none.toml", "--as-of", LAST),
        ("compliance", "--as-of", LAST, "--rule", "none"),
        ("classify", "--scheme", "abcd", "--facts", "none.csv"),
        ("classify", "--scheme", "abcd"),
        ("check",),
        ("check", "none.toml"),
        ("check", "none/service.toml"),
        ("compliance", "--as-of", LAST, "--rule", "credit_only_class_five", "--limit", "-3"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_two(run: Run, words: tuple[str, ...]) -> None:
    run(*words, code=2)
