"""Record every answer of the command line on a loaded home, and compare two such records.

A refactoring is right when both records are equal to the last bit:

    python -m tests.compare_answers record --home HOME --to FILE.jsonl.gz
    python -m tests.compare_answers compare BEFORE.jsonl.gz AFTER.jsonl.gz

Only `analytics.__main__.main` is used, so any version of the code can be recorded. The file has one
line per question: the command (without --home), exit code, standard output, messages on standard
error, and a SHA-256 of these three.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import itertools
import json
import re
import shlex
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TextIO

Ask = Callable[[str], Any]
Answer = dict[str, Any]

BUCKET_SETS = ("months", "short", "standard")
DAYS_PAST_DUE = (0, 30, 60, 90)
SUMS = ("loans", "customers", "balance", "contribution_net")
RATES = ("overdue_rate_30", "overdue_rate_30_customers", "npl_ratio", "reloan_rate_90", "bad_rate")
# `compare` takes means of doubles in no fixed order: their last bits change from run to run.
UNORDERED = ("contribution", "contribution_low", "contribution_high")
DIFFERENT = "different"
WORDING = "with different wording of a refusal or a message only"
ROUNDING = "with different last bits of a mean contribution only"


class Recorder:
    """Ask the product and write each answer to a file, each question once."""

    def __init__(self, home: Path, file: TextIO) -> None:
        self.home = home
        self.file = file
        self.codes: dict[str, int | str] = {}

    def ask(self, question: str) -> Any:
        """Record one question. Return its JSON answer; None if refused or recorded before."""
        argv = [*shlex.split(question), "--format", "json"]
        key = shlex.join(argv)
        if key in self.codes:
            return None
        place = [] if argv[0] in ("metrics", "schemes") else ["--home", str(self.home)]
        code, stdout, stderr = run([*argv, *place])
        stderr = stderr.replace(str(self.home), "HOME")
        self.codes[key] = code
        digest = hashlib.sha256(json.dumps([code, stdout, stderr]).encode()).hexdigest()
        line = {"question": key, "code": code, "sha256": digest, "stdout": stdout, "stderr": stderr}
        self.file.write(json.dumps(line, ensure_ascii=False) + "\n")
        return json.loads(stdout) if code == 0 else None


def run(argv: list[str]) -> tuple[int | str, str, str]:
    """Return exit code (a text after a crash), standard output, and standard error as one line."""
    # Imported here because comparing two records needs no product.
    from analytics.__main__ import main as product

    stdout = io.StringIO()
    stderr = io.StringIO()
    code: int | str
    with redirect_stdout(stdout), redirect_stderr(stderr):
        try:
            code = product(argv)
        except SystemExit as stop:
            code = stop.code or 0
        except Exception as error:
            code = f"crash: {type(error).__name__}"
    return code, stdout.getvalue(), " ".join(stderr.getvalue().split())


@dataclass(frozen=True)
class Scope:
    """What is asked about: the newest month end, the splits by metric, the editions by scheme."""

    newest: date
    splits: dict[str, list[str]]
    editions: dict[str, list[str]]

    def month(self, back: int) -> str:
        """Return the month end so many months before the newest, YYYY-MM-DD."""
        months = self.newest.year * 12 + self.newest.month - back
        return str(date(months // 12, months % 12 + 1, 1) - timedelta(days=1))

    def at(self, back: int = 0) -> str:
        """Return the option for one month end."""
        return f"--as-of {self.month(back)}"

    def pair(self, back: int) -> str:
        """Return the options for a change up to the newest month end."""
        return f"--from {self.month(back)} --to {self.newest}"


def find_newest_month(home: Path) -> date:
    """Find the newest month end of a home, which the refusal of an unknown one names."""
    refusal = run(["ask", "loans", "--as-of", "1900-01-31", "--home", str(home)])[2]
    days = re.findall(r"\d{4}-\d\d-\d\d", refusal)
    if len(days) < 2:
        raise SystemExit(f"No month end found in: {refusal}. Give --as-of.")
    return date.fromisoformat(max(days))


def rows_of(answer: Any, name: str) -> list[Answer]:
    """Return one frame of an answer, [] where the question was refused."""
    return answer[name] if answer else []


def list_cell(ask: Ask, question: str, rows: Any, names: Sequence[str], more: str = "") -> None:
    """Ask for the list behind the middle row of an answer, which `names` identify."""
    if rows:
        row = rows[len(rows) // 2]
        cell = " ".join(f"{name}={row[name]}" for name in names)
        ask(f"{question} --cell {cell} {more} --limit 20")


def ask_figures(ask: Ask, scope: Scope) -> None:
    """Ask every metric by every split, its lists, other classes, comparisons, trends, and filters.

    To save time, half of the splits are asked 6 months before the newest month end too, and the
    other half 13 months before.
    """
    at = scope.at()
    for metric, splits in scope.splits.items():
        for back in (0, 6, 13):
            ask(f"ask {metric} {scope.at(back)}")
        for place, split in enumerate(splits):
            rows = ask(f"ask {metric} {at} --by {split}")
            ask(f"ask {metric} {scope.at((6, 13)[place % 2])} --by {split}")
            if split in ("class", "branch_1"):
                list_cell(ask, f"list {metric} {at}", rows, [split])
                list_cell(ask, f"list {metric} {at} --hit", rows, [split])
        for by in ("", "--by class", "--by branch_1"):
            for more in ("--compare mom", "--compare yoy", "--last 12"):
                ask(f"ask {metric} {at} {by} {more}")
        ask(f"ask {metric} {at} --by branch_1 --targets")
        ask(f"ask {metric} {at} --by branch_1,class")
        if "class" in splits:
            for opening in (0, 1, 12):
                ask(f"ask {metric} {at} --by class --opening {opening}")
            for scheme in scope.editions:
                ask(f"ask {metric} {at} --by class --scheme {scheme}")
        ask(f"ask {metric} {at} --where class=C,D")
        ask(f"ask {metric} {at} --by class --where branch_1=01,02 gender=female")
        ask(f"ask {metric} {at} --by branch_1 --where product=HM1")


def ask_changes(ask: Ask, scope: Scope) -> None:
    """Ask for bridges of every metric, and for noise and sentences of some."""
    for metric in scope.splits:
        for split, back in itertools.product(("class", "branch_1", "product"), (1, 12)):
            ask(f"bridge {metric} {scope.pair(back)} --by {split}")
        ask(f"bridge {metric} {scope.pair(1)} --by class --then branch_1")
    for metric in (*SUMS, *RATES):
        for split in ("''", "class", "branch_1"):
            ask(f"noise {metric} {scope.pair(1)} --by {split} --draws 100")
        ask(f"noise {metric} {scope.pair(12)} --by class --draws 100 --seed 5")
        for lang in ("zh-CN", "en"):
            ask(f"sentence {metric} {scope.pair(1)} --lang {lang}")
            ask(f"sentence {metric} {scope.pair(12)} --lang {lang} --by branch_1 --halves")


def ask_moves(ask: Ask, scope: Scope) -> None:
    """Ask for flows of the overdue balance, migration matrices and rates, and roll rates."""
    where = "--where branch_1=01"
    for days, back in itertools.product(DAYS_PAST_DUE, (1, 12)):
        question = f"flows {scope.pair(back)} --days {days}"
        terms = [line["term"] for line in rows_of(ask(question), "terms")]
        for term in ("opening", *terms, "closing"):
            ask(f"{question} --list {term} --limit 5")
        ask(f"{question} {where}")
    matrices = [f"migration {{pair}} --scheme {scheme}" for scheme in scope.editions]
    matrices += [f"roll --from {{before}} {scope.at()} --buckets {name}" for name in BUCKET_SETS]
    for matrix, back in itertools.product(matrices, (1, 12)):
        question = matrix.format(pair=scope.pair(back), before=scope.month(back))
        list_cell(ask, question, rows_of(ask(question), "matrix"), ("before", "after"))
        ask(f"{question} {where}")
    for back in (1, 12):
        for row in rows_of(ask(f"rates {scope.pair(back)}"), "rates"):
            ask(f"rates {scope.pair(back)} --cell rate={row['rate']} --limit 20")
        ask(f"rates {scope.pair(back)} {where}")
    for buckets, more in itertools.product(BUCKET_SETS, ("", where)):
        ask(f"roll {scope.at()} --buckets {buckets} --last 12 {more}")


def ask_cohorts(ask: Ask, scope: Scope) -> None:
    """Ask for vintages, first-payment default, reloan curves, and forecasts."""
    at = scope.at()
    periods = ("month", "quarter", "year")
    for days, late, period in itertools.product(DAYS_PAST_DUE, ("ever", "now"), periods):
        question = f"vintage {at} --days {days} --late {late} --period {period}"
        list_cell(ask, question, rows_of(ask(question), "vintage"), ("cohort", "month"))
    for split in ("class", "product", "channel", "branch_1", "gender", "bucket"):
        for more in ("", "--days 90 --late now"):
            question = f"vintage {at} --by {split} {more}"
            rows = rows_of(ask(question), "vintage")
            list_cell(ask, question, rows, ("cohort", "month", "part"))
    for split, period in itertools.product(("''", "class", "product", "branch_1"), periods):
        question = f"first-payment {at} --by {split} --period {period}"
        rows = rows_of(ask(question), "cohorts")
        for judged in ("missed", "yes"):
            list_cell(ask, question, rows, ("cohort", "part"), f"judged={judged}")
    for split in ("''", "class", "product", "branch_1", "gender"):
        question = f"curve {at} --by {split}"
        list_cell(ask, question, rows_of(ask(question), "summary"), ["part"], "back=yes")
        ask(f"{question} --points")
        ask(f"{question} --where branch_1=01")
    for measure in ("n", "balance"):
        for scheme in scope.editions:
            ask(f"forecast {at} --measure {measure} --scheme {scheme}")
        for buckets in BUCKET_SETS:
            ask(f"forecast {at} --measure {measure} --by bucket --buckets {buckets}")


def ask_rulebooks(ask: Ask, scope: Scope) -> None:
    """Explain customers, compare editions (one with itself where it is alone), list breaches."""
    customers = rows_of(ask(f"list customers {scope.at()} --limit 200"), "list")[::17]
    for scheme, editions in scope.editions.items():
        for row in customers:
            ask(f"explain {row['customer_id']} {scope.at()} --scheme {scheme}")
        for row in customers[:1]:
            ask(f"explain {row['customer_id']} {scope.at()} --scheme {scheme} --lang en")
        afters = editions[1:] or editions
        for pair, back in itertools.product(zip(editions, afters, strict=False), (0, 13)):
            question = f"compare --scheme {scheme} --from {pair[0]} --to {pair[1]} {scope.at(back)}"
            ask(question)
            ask(f"{question} --totals")
    for back in (0, 6, 13):
        for row in ask(f"compliance {scope.at(back)}") or []:
            ask(f"compliance {scope.at(back)} --rule {row['rule']} --limit 50")
    ask(f"compliance {scope.at()} --lang en")


def ask_segments(ask: Ask, scope: Scope) -> None:
    """Ask for the segments that lie in the home; none are fitted here."""
    at = scope.at()
    ask(f"segments show {scope.at(6)}")
    for what in ("segments", "candidates", "facts", "importance", "tree", "months"):
        ask(f"segments show {at} --what {what}")
    for code in sorted({row["segment"] for row in ask(f"segments profile {at}") or []}):
        ask(f"segments profile {at} --segment {code}")
    for scheme in scope.editions:
        ask(f"segments validate {at} --scheme {scheme}")
        for kind in ("good_in_bad", "bad_in_good"):
            ask(f"segments disagree {at} --scheme {scheme} --kind {kind}")
    ask(f"segments disagree {at} --branch 01")


PARTS = (ask_segments, ask_rulebooks, ask_cohorts, ask_moves, ask_changes, ask_figures)


def record(home: Path, to: Path, newest: date | None) -> None:
    """Ask everything of a home and write the answers to a file."""
    started = time.monotonic()
    warnings.simplefilter("ignore")
    with gzip.open(to, "wt", encoding="utf-8", compresslevel=3) as file:
        recorder = Recorder(home, file)
        splits = {row["metric"]: row["splits"].split(",") for row in recorder.ask("metrics")}
        editions: dict[str, list[str]] = {}
        for row in recorder.ask("schemes"):
            editions.setdefault(row["scheme"], []).append(row["edition"])
        recorder.ask("schemes --lang en")
        print(f"Recording {sys.modules['analytics.__main__'].__file__} on {home}")
        scope = Scope(newest or find_newest_month(home), splits, editions)
        for part in PARTS:
            part(recorder.ask, scope)
            spent = time.monotonic() - started
            print(f"{len(recorder.codes)} questions, {spent:.0f} s after {part.__name__}")
    counts = Counter(recorder.codes.values())
    print(", ".join(f"exit code {code}: {counts[code]}" for code in sorted(counts, key=str)))


def read(path: Path) -> dict[str, Answer]:
    """Return the recorded answers by question."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return {line["question"]: line for line in map(json.loads, file)}


def numbers(text: str) -> list[str]:
    """Return the numbers in a text, as written."""
    return re.findall(r"\d+(?:[.,]\d+)*", text)


def without_last_bits(answer: Answer) -> Any:
    """Return the output, in which `compare` has its `UNORDERED` figures (CNY) to 4 decimals."""
    if answer["code"] != 0 or not answer["question"].startswith("compare "):
        return answer["stdout"]
    rows = json.loads(answer["stdout"])
    for row in rows:
        row |= {name: round(row[name], 4) for name in UNORDERED if row.get(name) is not None}
    return [list(row.items()) for row in rows]


def kind_of_difference(before: Answer, after: Answer) -> str:
    """Return how two answers differ: DIFFERENT, WORDING, ROUNDING, or not at all."""
    if before["sha256"] == after["sha256"]:
        return ""
    same_code = before["code"] == after["code"]
    if not same_code or without_last_bits(before) != without_last_bits(after):
        return DIFFERENT
    if before["code"] != 2 and numbers(before["stderr"]) != numbers(after["stderr"]):
        return DIFFERENT
    return ROUNDING if before["stderr"] == after["stderr"] else WORDING


def lines_of(answer: Answer) -> list[str]:
    """Return an answer as lines for people."""
    return [f"exit code {answer['code']}", *answer["stdout"].splitlines(), answer["stderr"]]


def first_difference(before: Answer, after: Answer) -> str:
    """Return the first line in which two answers differ, of either side."""
    pairs = itertools.zip_longest(lines_of(before), lines_of(after), fillvalue="(end)")
    return next((f"  - {a}\n  + {b}" for a, b in pairs if a != b), "  (line ends only)")


def compare(before: Path, after: Path, show: int) -> int:
    """Print how two records differ; return 1 if a figure differs or a question is missing."""
    old = read(before)
    new = read(after)
    kinds: dict[str, list[str]] = {DIFFERENT: [], WORDING: [], ROUNDING: [], "": []}
    for name in old.keys() & new.keys():
        kinds[kind_of_difference(old[name], new[name])].append(name)
    missing = sorted(old.keys() ^ new.keys())
    print(f"{sum(map(len, kinds.values()))} compared, {len(missing)} on one side only")
    for kind in (DIFFERENT, WORDING, ROUNDING):
        print(f"{len(kinds[kind])} {kind}")
        for name in sorted(kinds[kind])[:show]:
            print(f"{name}\n{first_difference(old[name], new[name])}")
    for name in missing[:show]:
        print(f"Only in {before if name in old else after}: {name}")
    return 1 if kinds[DIFFERENT] or missing else 0


def main() -> int:
    """Run the command line of this script."""
    parser = argparse.ArgumentParser(prog="python -m tests.compare_answers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record")
    recording.add_argument("--home", type=Path, required=True)
    recording.add_argument("--to", type=Path, required=True)
    recording.add_argument("--as-of", type=date.fromisoformat, help="newest month end of the home")
    comparing = commands.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--show", type=int, default=10, help="differences to print of each kind")
    options = parser.parse_args()
    if options.command == "compare":
        return compare(options.before, options.after, options.show)
    record(options.home, options.to, options.as_of)
    return 0


if __name__ == "__main__":
    sys.exit(main())
