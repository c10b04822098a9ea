"""Errors in the declarations of metrics, buckets and assumptions are refused with their path."""

from collections.abc import Callable
from pathlib import Path

import pytest

from analytics.metrics import assumptions, buckets, definitions
from data.declarations import BadDeclaration


def edited(path: Path, folder: Path, old: str, new: str) -> Path:
    """Copy a declaration file with its first `old` replaced."""
    text = path.read_text("utf-8")
    assert old in text
    copy = folder / path.name
    copy.write_text(text.replace(old, new, 1), "utf-8")
    return copy


def refusal(read: Callable[[Path], object], path: Path) -> BadDeclaration:
    with pytest.raises(BadDeclaration) as caught:
        read(path)
    return caught.value


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('unit = "count"', 'unit = "count"\ncolour = "red"', "metric.customers.colour"),
        ('unit = "count"', 'unit = "pieces"', "metric.customers.unit"),
        ('population = "fact.has_loan"\n', "", "metric.customers.population"),
        ('source = "customer_month"', 'source = "branch_month"', "metric.customers.source"),
        ('sql = "branch.branch_1"', 'sql = "branch.branch_1"\nrows = 3', "split.branch_1.rows"),
        ('of = "row"', 'of = "column"', "split.branch_1.of"),
        ('grain = "loan"', 'grain = "branch"', "source.loan_month.grain"),
        ("[source.loan_month]", "[sources]\n[source.loan_month]", "sources"),
    ],
)
def test_a_wrong_entry_of_metrics_toml_is_refused_with_its_path(
    tmp_path: Path, old: str, new: str, place: str
) -> None:
    path = edited(definitions.DECLARATIONS, tmp_path, old, new)
    error = refusal(definitions.read, path)
    assert error.facts["place"] == place
    assert "metrics.toml" in error.text("en")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('name = { zh-CN = "贷款客户数", en = "Loan customers" }', 'name = { en = "x" }', "zh-CN"),
        ('numerator = "count(*) filter (where fact.has_loan)"\n', "", "either numerator"),
        ('numerator_filter = "fact.days_past_due > 0"\n', "", "without numerator_filter"),
    ],
)
def test_a_metric_that_breaks_a_rule_is_refused(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    error = refusal(definitions.read, edited(definitions.DECLARATIONS, tmp_path, old, new))
    assert error.facts["place"].startswith("metric.")
    assert problem in error.text("en")


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("monthly = true", "monthly = true\nweekly = false", "set.months.weekly"),
        ("edges = [0, 30, 60,", "edges = [0, 60, 30,", "set.months"),
        ("edges = [0, 30, 60,", "edges = [30, 60,", "set.months"),
        ('codes = ["m0", "m1",', 'codes = ["m0",', "set.months"),
        ('codes = ["m0", "m1",', 'codes = ["m0", "m0",', "set.months"),
        ("[set.months]", "[sets]\n[set.months]", "sets"),
    ],
)
def test_a_wrong_set_of_buckets_is_refused_with_its_path(
    tmp_path: Path, old: str, new: str, place: str
) -> None:
    path = edited(buckets.DECLARATIONS, tmp_path, old, new)
    assert refusal(buckets.bucket_sets, path).facts["place"] == place


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("funding_rate = 0.024", "funding_rate = 0.024\nfunding = 1", "edition[0].funding"),
        ("funding_rate = 0.024", 'funding_rate = "high"', "edition[0].funding_rate"),
        ("funding_rate = 0.024", "", "edition[0].funding_rate"),
    ],
)
def test_a_wrong_assumption_is_refused_with_its_path(
    tmp_path: Path, old: str, new: str, place: str
) -> None:
    path = edited(assumptions.ASSUMPTIONS, tmp_path, old, new)
    assert refusal(assumptions.read_assumptions, path).facts["place"] == place
