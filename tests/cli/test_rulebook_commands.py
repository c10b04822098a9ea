"""The rulebooks on the command line, as an officer uses it."""

import csv
import io
import json
from datetime import date

import pytest

from analytics import rulebooks
from analytics.__main__ import main
from data.editions.reader import Warehouse

LAST = "2026-10-31"
ABCD = rulebooks.FOLDER / "abcd" / "1990-01-01.toml"


@pytest.fixture
def run(demo_home, capsys):
    def of(*words, code=0):
        home = (
            ["--home", str(demo_home)] if words[0] in ("explain", "compare", "compliance") else []
        )
        assert main([*words, *home]) == code
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        if code == 2:
            assert len(told.err.strip().split("\n")) == 1
        return told

    return of


def test_schemes_lists_every_edition(run):
    told = json.loads(run("schemes", "--format", "json", "--lang", "en").out)
    assert {(row["scheme"], row["edition"]) for row in told} == {
        (book.id, book.effective_on.isoformat())
        for scheme in rulebooks.read_schemes().values()
        for book in scheme.editions
    }


@pytest.fixture(scope="module")
def one_of_each_class(demo_home):
    """Scheme → class → a customer of the invented bank who is in it."""
    bank, found = Warehouse(demo_home), {}
    for scheme in (
        scheme.id for scheme in rulebooks.read_schemes().values() if scheme.grain == "customer"
    ):
        rows = bank.query(
            f"select cast({scheme} as varchar) as class, min(customer_id) as customer_id from customer_month "
            "join customer_number using (customer_key) where as_of = $d group by 1",
            d=date.fromisoformat(LAST),
        )
        found[scheme] = dict(zip(rows["class"], rows["customer_id"], strict=True))
    bank.close()
    return found


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
def test_explain_gives_the_class_that_the_build_wrote_and_why_for_one_customer_of_every_class(
    run, one_of_each_class, scheme
):
    book = rulebooks.read_schemes()[scheme].editions[-1]
    assert {*one_of_each_class[scheme]} >= {*book.class_codes[:-1]}
    for code, customer in one_of_each_class[scheme].items():
        told = json.loads(
            run("explain", customer, "--scheme", scheme, "--as-of", LAST, "--format", "json").out
        )[0]
        assert told["class"] == told["class_kept"] == code
        assert told["missing"] if code == "unrated" else told["boundary"]
        assert any(check["applied"] for check in told["trace"]) or code in (
            book.otherwise,
            "unrated",
        )


def test_explain_in_words_names_clause_value_and_boundary(run, one_of_each_class):
    told = run(
        "explain",
        one_of_each_class["abcd"]["D"],
        "--scheme",
        "abcd",
        "--as-of",
        LAST,
        "--lang",
        "en",
    ).out
    assert "class: D D risk" in told
    assert "nearest up: " in told


def test_explain_of_a_scheme_of_loans_explains_every_loan(run, demo_home):
    bank = Warehouse(demo_home)
    customer, loans = bank.one(
        "select customer_id, count(distinct loan_key) from loan_month join customer_number using (customer_key) "
        "where as_of = $d group by customer_id order by 2 desc, 1 limit 1",
        d=date.fromisoformat(LAST),
    )
    bank.close()
    told = json.loads(
        run("explain", customer, "--scheme", "loan_five", "--as-of", LAST, "--format", "json").out
    )
    assert len(told) == loans > 1


def test_compare_adds_up(run, tmp_path):
    text = ABCD.read_text("utf-8").replace(
        "max_days_past_due_12m > 90", "max_days_past_due_12m > 30"
    )
    # the example of 60 days is D now; so are those beside it
    text = text[: text.index("# 示例")]
    examples = ABCD.read_text("utf-8")[ABCD.read_text("utf-8").index("# 示例") :]
    (tmp_path / "new.toml").write_text(
        text + examples.replace("max_days_past_due_12m = 60 }\nclass   = \"B\"\nbecause = [\"三(一)1\"]",
                                "max_days_past_due_12m = 30 }\nclass   = \"B\"\nbecause = [\"三(一)1\"]")
        .replace('max_days_past_due_12m = 61 }\nclass  = "C"', 'max_days_past_due_12m = 61 }\nclass  = "D"'),
        encoding="utf-8",
    )  # fmt: skip
    words = (
        "compare",
        "--scheme",
        "abcd",
        "--from",
        "1990-01-01",
        "--to",
        str(tmp_path / "new.toml"),
        "--as-of",
        LAST,
    )
    totals = list(csv.DictReader(io.StringIO(run(*words, "--totals", "--format", "csv").out)))
    assert sum(int(row["n_from"]) for row in totals) == sum(int(row["n_to"]) for row in totals)
    for row in totals:
        assert int(row["n_to"]) == int(row["n_from"]) + int(row["swapped_in"]) - int(
            row["swapped_out"]
        )
    cells = list(csv.DictReader(io.StringIO(run(*words, "--format", "csv").out)))
    assert sum(int(row["n"]) for row in cells) == sum(int(row["n_from"]) for row in totals)


def test_check_passes_a_shipped_rulebook(run):
    assert "12 个示例全部符合" in run("check", str(ABCD)).out


def test_check_refuses_a_broken_one_with_file_and_line(run, tmp_path):
    (tmp_path / "bad.toml").write_text(
        ABCD.read_text("utf-8").replace("> 90", "＞ 90"), encoding="utf-8"
    )
    told = run("check", str(tmp_path / "bad.toml"), "--lang", "en", code=1).err
    assert told.startswith("bad.toml, line ")
    assert "full-width" in told


def test_check_of_the_service_rules_passes_them_and_refuses_a_misspelt_fact(run, tmp_path):
    file = rulebooks.FOLDER / "service.toml"
    assert run("check", str(file)).out.startswith("通过：五类客户持有")
    bad = tmp_path / "service.toml"
    bad.write_text(
        file.read_text("utf-8").replace('"family = home"', '"famly = home"'), encoding="utf-8"
    )
    assert "did you mean family" in run("check", str(bad), "--lang", "en", code=1).err


def test_check_of_a_file_that_is_not_there_is_a_sentence(run, tmp_path):
    assert "none.toml" in run("check", str(tmp_path / "none.toml"), "--lang", "en", code=2).err


def test_classify_prints_the_good_rows_and_says_that_others_are_refused(run, tmp_path):
    (tmp_path / "facts.csv").write_text(
        "id,max_days_past_due_12m\n1,120\n2,many\n", encoding="utf-8"
    )
    told = run(
        "classify",
        "--scheme",
        "abcd",
        "--facts",
        str(tmp_path / "facts.csv"),
        "--format",
        "csv",
        code=1,
    )
    rows = list(csv.DictReader(io.StringIO(told.out)))
    assert [row["class"] for row in rows] == ["D", ""]
    assert rows[0]["clauses"] == "三(一)1a"
    assert "1 of 2 rows" in told.err


def test_compliance_counts_and_lists(run):
    counts = json.loads(run("compliance", "--as-of", LAST, "--format", "json").out)
    worst = max(counts, key=lambda row: row["breaches"])
    listed = json.loads(
        run("compliance", "--as-of", LAST, "--rule", worst["rule"], "--format", "json").out
    )
    assert len(listed) == worst["breaches"] > 0


@pytest.mark.parametrize(
    "words",
    [
        ("explain", "nobody", "--scheme", "abcd", "--as-of", LAST),
        ("explain", "C1", "--scheme", "none", "--as-of", LAST),
        ("explain", "C1", "--scheme", "abcd", "--as-of", "2019-01-31"),
        ("explain", "C1", "--scheme", "abcd", "--as-of", "yesterday"),
        (
            "compare",
            "--scheme",
            "abcd",
            "--from",
            "1991-01-01",
            "--to",
            "1990-01-01",
            "--as-of",
            LAST,
        ),
        (
            "compare",
            "--scheme",
            "abcd",
            "--from",
            "1990-01-01",
            "--to",
            "none.toml",
            "--as-of",
            LAST,
        ),
        ("compliance", "--as-of", LAST, "--rule", "none"),
        ("classify", "--scheme", "abcd", "--facts", "none.csv"),
        ("classify", "--scheme", "abcd"),
        ("check",),
        ("check", "none.toml"),
        ("check", "none/service.toml"),
        ("compliance", "--as-of", LAST, "--rule", "credit_only_class_five", "--limit", "-3"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_two(run, words):
    run(*words, code=2)
