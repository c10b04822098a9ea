"""What the commands share: filters, month ends, printed zeros, and a pipe that is closed early."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from analytics.__main__ import main
from analytics.cli.options import aligned, csv_text, filter_of, show
from analytics.marts.build import build
from data.errors import InvalidRequest
from data.loading.pipeline import load
from tests.conftest import ROOT
from tests.support.deliveries import write

TODAY = "2026-10-31"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("branch_1=N", ("N",)),
        ("branch_1=N,S", ("N", "S")),
        ('branch_1="N,1"', ("N,1",)),
        ('branch_1="N,1",S', ("N,1", "S")),
        ('branch_1="a ""b"", c",d', ('a "b", c', "d")),
        ("branch_1=it's", ("it's",)),
        ("branch_1=a=b", ("a=b",)),
    ],
)
def test_a_value_that_holds_a_comma_stands_in_double_quotes(
    text: str, codes: tuple[str, ...]
) -> None:
    assert filter_of(text) == ("branch_1", codes)


@pytest.mark.parametrize("text", ['branch_1="N,1', 'branch_1="N"1', "branch_1=a\nb"])
def test_a_filter_with_a_stray_quote_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        filter_of(text)
    assert 'col="a,b",c' in refused.value.text("en")
    assert "双引号" in refused.value.text("zh-CN")


@pytest.fixture(scope="module")
def comma_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bank with the branches "N,1" (1,000.00 of balance at the month end) and S (2,000.00)."""
    base = tmp_path_factory.mktemp("comma")
    folder = write(
        base / "delivery",
        branch='branch_id,parent_id,name\nH,,Head\n"N,1",H,North\nS,H,South\n',
        loan="loan_id,customer_id,principal,disbursed_on,branch_id\n"
        'L1,C1,1000.00,2024-01-10,"N,1"\nL2,C2,2000.00,2024-02-10,S\n',
        loan_snapshot="as_of,loan_id,balance,days_past_due\n"
        "2024-03-31,L1,1000.00,0\n2024-03-31,L2,2000.00,31\n",
    )
    load(folder, "contract", base / "home", build_marts=build, as_of=date(2024, 3, 31))
    return base / "home"


@pytest.mark.parametrize(
    ("where", "value"),
    [('branch_1="N,1"', 1_000), ('branch_1="N,1",S', 3_000), ("branch_1=S", 2_000)],
)
def test_a_branch_whose_number_holds_a_comma_can_be_filtered(
    comma_home: Path, capsys: pytest.CaptureFixture[str], where: str, value: float
) -> None:
    question = ("ask", "balance", "--as-of", "2024-03-31", "--where", where)
    assert main([*question, "--home", str(comma_home), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["value"] == value


def test_without_quotes_both_parts_are_unknown_and_the_known_values_are_listed_in_quotes(
    comma_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    question = ("ask", "balance", "--as-of", "2024-03-31", "--where", "branch_1=N,1")
    assert main([*question, "--home", str(comma_home)]) == 2
    error = capsys.readouterr().err
    assert "branch_1 has no value 'N'. Known: \"N,1\", S, unknown." in error
    assert 'branch_1 没有取值 N。可用："N,1", S, unknown。' in error


def test_the_help_says_how_a_value_with_a_comma_is_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["ask", "--help"]) == 0
    assert 'branch_1="a,b",c' in capsys.readouterr().out


@pytest.mark.parametrize("value", [-0.0, -0.0000001, -0.004])
def test_no_form_prints_minus_zero(value: float, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"change": [value, 1234.5]})
    assert aligned(frame).split() == ["change", "0.00", "1,234.50"]
    if value == 0:
        assert csv_text(frame) == "change\n0.0\n1234.5\n"
        show(frame, "json")
        assert "-0" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [
        ("flows", "--from", "2026-09-30", "--to", TODAY),
        ("flows", "--from", "2026-09-30", "--as-of", TODAY),
        ("roll", "--from", "2026-09-30", "--to", TODAY),
        ("roll", "--from", "2026-09-30", "--as-of", TODAY),
        ("migration", "--from", "2026-09-30", "--as-of", TODAY),
        ("bridge", "balance", "--from", "2026-09-30", "--as-of", TODAY, "--by", "family"),
        ("vintage", "--to", TODAY),
        ("list", "balance", "--to", TODAY),
        ("schemes",),
    ],
    ids=" ".join,
)
def test_the_later_month_end_is_as_of_or_to_and_every_command_takes_a_home(
    small_home: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    assert main([*command, "--home", str(small_home)]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "command", [("data", "contract"), ("analytics", "metrics"), ("analytics", "schemes")]
)
def test_a_reader_that_closes_the_pipe_gets_no_traceback(command: tuple[str, ...]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    error = process.stderr.read()
    assert (process.wait(), error) == (0, "")
