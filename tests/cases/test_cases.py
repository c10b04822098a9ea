"""Books that real loan systems deliver: each case stands for a kind, its right values were worked
out by hand.

One TOML file a kind. A case is a sequence of deliveries and what must be true after the last of
them:

    [[case]]
    name = "what is delivered, in one sentence"
    [[case.delivery]]
    as_of = "2024-03-31"            # and kind ("full"), from ("2024-01-31")
    customer = "C1,2024-01-01"      # rows of a table; columns: COLUMNS, or a first row that
                                    # begins with "#"
    refused = "code"                # the load must be refused with this code
    held = "code"                   # the load must be held; it is then let pass by a named person
    [[case.expect]]
    ask = "overdue_rate_30 --by class"  # a question of the command line; numerator, denominator,
                                        # value and n are compared, or `rows` = {code = value}
    loan = "L1"                     # columns of loan_month at as_of; customer = "C1" likewise
    total = "interest_received"     # the sum of a column of loan_month over all months, with value
    note = "unknown_code"           # a note of the last delivery, with count
    rejected = [["payment", 2, "amount", "reason"]]

Months without a row: `absent = true`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from analytics.__main__ import main
from analytics.marts.build import build
from data.editions.reader import Warehouse
from data.errors import UserError
from data.loading.pipeline import Overrides, load

FOLDER = Path(__file__).parent
COLUMNS = {
    "customer": "customer_id,valid_from",
    "loan": "loan_id,customer_id,principal,disbursed_on",
    "instalment": "loan_id,number,due_on,principal,interest",
    "payment": "payment_id,loan_id,paid_at,amount,kind",
    "loan_snapshot": "as_of,loan_id,balance,days_past_due",
    "deposit_balance": "customer_id,as_of,balance",
    "income": "income_id,customer_id,booked_on,kind,amount",
    "signal": "signal_id,customer_id,raised_on,kind",
    "branch": "branch_id,parent_id,name",
}
LENIENT = {"rejects": 1.0, "orphans": 1.0, "conflicts": 1.0}
OPTIONS = {"as_of", "kind", "from", "refused", "held"}
CASES = [
    pytest.param(case, id=f"{path.stem}: {case['name']}")
    for path in sorted(FOLDER.glob("*.toml"))
    for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
]


def _csv(name: str, rows: str) -> str:
    """Return the rows of a case as a CSV file, short forms written out."""
    lines = [line.strip() for line in rows.strip().splitlines() if line.strip()]
    header = COLUMNS.get(name, "")
    if lines and lines[0].startswith("#"):
        header = lines[0][1:].strip()
        lines = lines[1:]
    expanded = [line for text in lines for line in _expand(name, text)]
    return "\n".join([header, *expanded]) + "\n"


def _expand(name: str, text: str) -> list[str]:
    """`L1 12x(1000+50) from 2024-01-05` is a schedule; `L1 1050 monthly 2023-07-05 2023-12-05`
    payments.
    """
    words = text.split()
    if name == "instalment" and len(words) == 4 and words[2] == "from":
        loan, plan, _, first = words
        count, amounts = plan.rstrip(")").split("x(")
        principal, interest = amounts.split("+")
        start = dt.date.fromisoformat(first)
        number = 1
        if "@" in count:
            count, number = count.split("@")
        return [
            f"{loan},{int(number) + i},{_months_later(start, i)},{principal},{interest}"
            for i in range(int(count))
        ]
    if name == "payment" and len(words) == 5 and words[2] == "monthly":
        loan, amount, _, first, last = words
        day, out = dt.date.fromisoformat(first), []
        while day <= dt.date.fromisoformat(last):
            out.append(f"{loan}-{day},{loan},{day} 10:00:00,{amount},instalment")
            day = _months_later(day, 1)
        return out
    return [text]


def _months_later(day: dt.date, months: int) -> dt.date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return day.replace(year=year, month=month + 1)


def _write(folder: Path, delivery: dict[str, Any]) -> Path:
    folder.mkdir()
    rows_by_table = {name: rows for name, rows in delivery.items() if name not in OPTIONS}
    if "loan_snapshot" not in rows_by_table:
        # A bank of events hands over both tables; a case names only those that have rows.
        rows_by_table = {"instalment": "", "payment": ""} | rows_by_table
    tables: dict[str, Any] = {}
    for name, rows in rows_by_table.items():
        path = folder / f"{name}.csv"
        path.write_text(_csv(name, rows), encoding="utf-8")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        entry: dict[str, Any] = {"name": path.name, "sha256": digest}
        if not rows:
            entry["rows"] = 0
        tables[name] = {"files": [entry]}
    body = {
        "source": "contract",
        "kind": delivery.get("kind", "full"),
        "as_of": delivery["as_of"],
        "tables": tables,
    }
    if "from" in delivery:
        body["from"] = delivery["from"]
    (folder / "manifest.json").write_text(json.dumps(body), encoding="utf-8")
    return folder


def _load(folder: Path, home: Path, delivery: dict[str, Any]) -> None:
    overrides = Overrides(LENIENT)
    if code := delivery.get("refused") or delivery.get("held"):
        with pytest.raises(UserError) as caught:
            load(folder, "contract", home, build_marts=build, overrides=overrides)
        assert caught.value.code == code, str(caught.value)
        if "refused" in delivery:
            return
        overrides = Overrides(LENIENT, "risk officer")
    load(folder, "contract", home, build_marts=build, overrides=overrides)


def _ask(home: Path, expect: dict[str, Any], capsys: pytest.CaptureFixture) -> None:
    code = main(["ask", *expect["ask"].split(), "--home", str(home), "--format", "json"])
    out = capsys.readouterr()
    assert code == 0, out.err
    answer = json.loads(out.out)
    if "rows" in expect:
        key = next(iter(answer[0]))
        assert {row[key]: row["value"] for row in answer} == pytest.approx(expect["rows"])
        return
    for name in ("numerator", "denominator", "value", "n"):
        if name in expect:
            assert len(answer) == 1, answer
            assert answer[0][name] == pytest.approx(expect[name], abs=1e-9), (expect["ask"], answer)


def _row(warehouse: Warehouse, grain: str, expect: dict[str, Any]) -> None:
    wanted = {key: value for key, value in expect.items() if key not in {grain, "as_of", "absent"}}
    with warehouse.session() as reader:
        month_rows = reader.arrow(
            f"select month.* from {grain}_month as month join {grain}_number using ({grain}_key) "
            f"where {grain}_id = $id and as_of = $as_of",
            None,
            id=expect[grain],
            as_of=dt.date.fromisoformat(expect["as_of"]),
        ).to_pylist()
    if expect.get("absent"):
        assert month_rows == []
        return
    assert len(month_rows) == 1, f"{expect[grain]} has {len(month_rows)} rows at {expect['as_of']}"
    values = {name: month_rows[0][name] for name in wanted}
    assert {name: _plain(value) for name, value in values.items()} == wanted, expect["as_of"]


def _plain(value: Any) -> Any:
    if value is None:
        return "unknown"
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, (int, str, bool)):
        return value
    return float(value)


def _total(warehouse: Warehouse, column: str) -> float:
    with warehouse.session() as reader:
        row = reader.one(f"select coalesce(sum({column}), 0)::double from loan_month")
    assert row is not None
    return row[0]


def _notes(warehouse: Warehouse) -> dict[tuple[str, str], int]:
    with warehouse.session() as reader:
        row = reader.one("select tables::varchar from delivery order by delivery desc limit 1")
    assert row is not None
    return {
        (table, note["code"]): note["count"]
        for table, report in json.loads(row[0]).items()
        for note in report["notes"]
    }


@pytest.mark.parametrize("case", CASES)
def test_a_book_of_a_real_bank_gives_the_figures_worked_out_by_hand(
    case: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    home = tmp_path / "home"
    for number, delivery in enumerate(case["delivery"], 1):
        _load(_write(tmp_path / f"delivery{number}", delivery), home, delivery)
    expectations = case.get("expect", [])
    if not expectations:
        assert any("refused" in delivery for delivery in case["delivery"])
        return
    capsys.readouterr()
    warehouse = Warehouse(home)
    try:
        for expect in expectations:
            if "ask" in expect:
                _ask(home, expect, capsys)
            elif "total" in expect:
                assert _total(warehouse, expect["total"]) == pytest.approx(expect["value"])
            elif "note" in expect:
                notes = _notes(warehouse)
                assert notes.get((expect["table"], expect["note"])) == expect["count"], notes
            elif "rejected" in expect:
                with warehouse.session() as reader:
                    rejected = reader.arrow(
                        "select table_name, line, column_name, reason from rejected order by all"
                    ).to_pylist()
                assert [list(row.values()) for row in rejected] == expect["rejected"]
            else:
                _row(warehouse, "loan" if "loan" in expect else "customer", expect)
    finally:
        warehouse.close()
