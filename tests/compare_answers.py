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
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TextIO

from analytics.__main__ import main as product

WITHOUT_HOME = ("metrics", "schemes")
BUCKET_SETS = ("months", "short", "standard")
DAYS_PAST_DUE = ("0", "30", "60", "90")
PERIODS = ("month", "quarter", "year")
LANGUAGES = ("zh-CN", "en")
# Two counts, two sums and five rates, with loans or customers as their rows.
TESTED = (
    "loans", "customers", "balance", "contribution_net", "overdue_rate_30",
    "overdue_rate_30_customers", "npl_ratio", "reloan_rate_90", "bad_rate",
)  # fmt: skip


class Recorder:
    """Ask the product and write each answer to a file, each question once."""

    def __init__(self, home: Path, file: TextIO) -> None:
        self.home = home
        self.file = file
        self.codes: dict[str, int | str] = {}

    def ask(self, *argv: str) -> Any:
        """Record one question. Return its JSON answer; None if refused or recorded before."""
        question = [*argv, "--format", "json"]
        key = shlex.join(question)
        if key in self.codes:
            return None
        place = [] if argv[0] in WITHOUT_HOME else ["--home", str(self.home)]
        code, stdout, stderr = run([*question, *place])
        stderr = stderr.replace(str(self.home), "HOME")
        self.codes[key] = code
        digest = hashlib.sha256(json.dumps([code, stdout, stderr]).encode()).hexdigest()
        line = {"question": key, "code": code, "sha256": digest, "stdout": stdout, "stderr": stderr}
        self.file.write(json.dumps(line, ensure_ascii=False) + "\n")
        return json.loads(stdout) if code == 0 else None


def run(argv: list[str]) -> tuple[int | str, str, str]:
    """Return exit code, standard output, and standard error as one line. A crash has a text code."""
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
    """What is asked about: the newest month end, the metrics with their splits, the schemes."""

    as_of: date
    splits: dict[str, list[str]]
    editions: dict[str, list[str]]

    def month(self, back: int = 0) -> str:
        """Return the month end so many months before the newest, YYYY-MM-DD."""
        months = self.as_of.year * 12 + self.as_of.month - back
        return str(date(months // 12, months % 12 + 1, 1) - timedelta(days=1))

    @property
    def at(self) -> tuple[str, ...]:
        """The option for the newest month end."""
        return ("--as-of", self.month())

    def pair(self, back: int) -> tuple[str, ...]:
        """The options for a change up to the newest month end."""
        return ("--from", self.month(back), "--to", self.month())


def newest_month() -> None:
    """See `find_newest_month`."""


def find_newest_month(home: Path) -> date:
    """Find the newest month end of a home: a refusal of a wrong one names the first and the last."""
    answer = run(["ask", "loans", "--as-of", "1900-01-31", "--home", str(home)])
    days = re.findall(r"\d{4}-\d\d-\d\d", answer[2])
    if len(days) < 2:
        raise SystemExit(f"No month end found in: {answer[2]}. Give --as-of.")
    return date.fromisoformat(max(days))


def middle(rows: list[dict[str, Any]] | None, names: Iterable[str]) -> list[str]:
    """Return the cell of the middle row as name=code, [] without rows."""
    if not rows:
        return []
    row = rows[len(rows) // 2]
    return [f"{name}={row[name]}" for name in names]


def ask_figures(ask: Any, scope: Scope) -> None:
    """Every metric by every split at three month ends; other classes, comparisons, trends, filters."""
    month = scope.month
    for metric, splits in scope.splits.items():
        for split, back in itertools.product(["", *splits], (0, 6, 13)):
            by = ("--by", split) if split else ()
            rows = ask("ask", metric, "--as-of", month(back), *by)
            if back == 0 and split in ("class", "branch_1"):
                cell = middle(rows, [split])
                for hit in ((), ("--hit",)) if cell else ():
                    ask("list", metric, *scope.at, "--cell", *cell, "--limit", "20", *hit)
        for split in ("", "class", "branch_1"):
            by = ("--by", split) if split else ()
            for comparison in ("mom", "yoy"):
                ask("ask", metric, *scope.at, *by, "--compare", comparison)
            ask("ask", metric, *scope.at, *by, "--last", "12")
        ask("ask", metric, *scope.at, "--by", "branch_1", "--targets")
        ask("ask", metric, *scope.at, "--by", "branch_1,class")
        if "class" in splits:
            for opening in ("0", "1", "12"):
                ask("ask", metric, *scope.at, "--by", "class", "--opening", opening)
            for scheme in scope.editions:
                ask("ask", metric, *scope.at, "--by", "class", "--scheme", scheme)
        ask("ask", metric, *scope.at, "--where", "class=C,D")
        ask("ask", metric, *scope.at, "--by", "class", "--where", "branch_1=01,02", "gender=F")
        ask("ask", metric, *scope.at, "--by", "branch_1", "--where", "product=HM1")


def ask_changes(ask: Any, scope: Scope) -> None:
    """Bridges of every metric; noise and sentences of some."""
    for metric in scope.splits:
        for split, back in itertools.product(("class", "branch_1", "product"), (1, 12)):
            ask("bridge", metric, *scope.pair(back), "--by", split)
        ask("bridge", metric, *scope.pair(1), "--by", "class", "--then", "branch_1")
    for metric in TESTED:
        for split in ("", "class", "branch_1"):
            ask("noise", metric, *scope.pair(1), "--by", split, "--draws", "100")
        ask("noise", metric, *scope.pair(12), "--by", "class", "--draws", "100", "--seed", "5")
        for lang in LANGUAGES:
            ask("sentence", metric, *scope.pair(1), "--lang", lang)
            ask("sentence", metric, *scope.pair(12), "--lang", lang, "--by", "branch_1", "--halves")


def ask_moves(ask: Any, scope: Scope) -> None:
    """Flows of the overdue balance, migration between classes, migration rates, roll rates."""
    where = ("--where", "branch_1=01")
    for days, back in itertools.product(DAYS_PAST_DUE, (1, 12)):
        answer = ask("flows", *scope.pair(back), "--days", days)
        for term in ["opening", *(line["term"] for line in answer["terms"]), "closing"]:
            ask("flows", *scope.pair(back), "--days", days, "--list", term, "--limit", "5")
        ask("flows", *scope.pair(back), "--days", days, *where)
    for scheme, back in itertools.product(scope.editions, (1, 12)):
        question = ("migration", *scope.pair(back), "--scheme", scheme)
        cell = middle(ask(*question)["matrix"], ("before", "after"))
        ask(*question, "--cell", *cell, "--limit", "20")
        ask(*question, *where)
    for back in (1, 12):
        for row in ask("rates", *scope.pair(back))["rates"]:
            ask("rates", *scope.pair(back), "--cell", f"rate={row['rate']}", "--limit", "20")
        ask("rates", *scope.pair(back), *where)
    for buckets in BUCKET_SETS:
        ask("roll", *scope.at, "--buckets", buckets, "--last", "12")
        ask("roll", *scope.at, "--buckets", buckets, "--last", "12", *where)
        for back in (1, 12):
            question = ("roll", "--from", scope.month(back), *scope.at, "--buckets", buckets)
            cell = middle(ask(*question)["matrix"], ("before", "after"))
            ask(*question, "--cell", *cell, "--limit", "20")
            ask(*question, *where)


def ask_cohorts(ask: Any, scope: Scope) -> None:
    """Vintages, first-payment default, reloan curves, forecasts."""
    for days, late, period in itertools.product(DAYS_PAST_DUE, ("ever", "now"), PERIODS):
        question = ("vintage", *scope.at, "--days", days, "--late", late, "--period", period)
        cell = middle(ask(*question)["vintage"], ("cohort", "month"))
        ask(*question, "--cell", *cell, "--limit", "20")
    for split in ("class", "product", "channel", "branch_1", "gender", "bucket"):
        for question in (("vintage",), ("vintage", "--days", "90", "--late", "now")):
            answer = ask(*question, *scope.at, "--by", split) or {}
            cell = middle(answer.get("vintage"), ("cohort", "month", "part"))
            ask(*question, *scope.at, "--by", split, "--cell", *cell, "--limit", "20")
    for split, period in itertools.product(("", "class", "product", "branch_1"), PERIODS):
        question = ("first-payment", *scope.at, "--by", split, "--period", period)
        cell = middle(ask(*question)["cohorts"], ("cohort", "part"))
        for judged in ("judged=missed", "judged=judged"):
            ask(*question, "--cell", *cell, judged, "--limit", "20")
    for split in ("", "class", "product", "branch_1", "gender"):
        answer = ask("curve", *scope.at, "--by", split) or {}
        cell = middle(answer.get("summary"), ("part",))
        for more in (("--points",), ("--cell", *cell, "back=yes"), ("--where", "branch_1=01")):
            ask("curve", *scope.at, "--by", split, *more)
    for measure in ("n", "balance"):
        for scheme in scope.editions:
            ask("forecast", *scope.at, "--measure", measure, "--scheme", scheme)
        for buckets in BUCKET_SETS:
            question = ("forecast", *scope.at, "--measure", measure, "--by", "bucket")
            ask(*question, "--buckets", buckets)


def ask_rulebooks(ask: Any, scope: Scope) -> None:
    """Explanations of customers, comparisons of editions, compliance."""
    found = ask("list", "customers", *scope.at, "--limit", "200")["list"]
    customers = [row["customer_id"] for row in found][::17]
    for scheme, editions in scope.editions.items():
        for customer in customers:
            ask("explain", customer, *scope.at, "--scheme", scheme)
        ask("explain", customers[0], *scope.at, "--scheme", scheme, "--lang", "en")
        pairs = itertools.pairwise(editions) if len(editions) > 1 else [(editions[0], editions[0])]
        for (before, after), back in itertools.product(pairs, (0, 13)):
            question = ("compare", "--scheme", scheme, "--from", before, "--to", after)
            for totals in ((), ("--totals",)):
                ask(*question, "--as-of", scope.month(back), *totals)
    for back in (0, 6, 13):
        for row in ask("compliance", "--as-of", scope.month(back)):
            rule = ("--rule", row["rule"], "--limit", "50")
            ask("compliance", "--as-of", scope.month(back), *rule)
    ask("compliance", *scope.at, "--lang", "en")


def ask_segments(ask: Any, scope: Scope) -> None:
    """The segments that lie in the home; none are fitted here."""
    for back in (0, 6):
        at = ("--as-of", scope.month(back))
        for what in ("segments", "candidates", "facts", "importance", "tree", "months"):
            ask("segments", "show", *at, "--what", what)
        codes = {row["segment"] for row in ask("segments", "profile", *at) or ()}
        for code in sorted(codes):
            ask("segments", "profile", *at, "--segment", code)
        for scheme in scope.editions:
            ask("segments", "validate", *at, "--scheme", scheme)
            for kind in ("good_in_bad", "bad_in_good"):
                ask("segments", "disagree", *at, "--scheme", scheme, "--kind", kind)
        ask("segments", "disagree", *at, "--branch", "01")


def record(home: Path, to: Path, as_of: date | None) -> None:
    """Ask everything of a home and write the answers to a file."""
    begun = time.monotonic()
    warnings.simplefilter("ignore")
    print(f"Recording {sys.modules['analytics.__main__'].__file__} on {home}")
    with gzip.open(to, "wt", encoding="utf-8", compresslevel=3) as file:
        recorder = Recorder(home, file)
        splits = {row["metric"]: row["splits"].split(",") for row in recorder.ask("metrics")}
        editions: dict[str, list[str]] = {}
        for row in recorder.ask("schemes"):
            editions.setdefault(row["scheme"], []).append(row["edition"])
        recorder.ask("schemes", "--lang", "en")
        scope = Scope(as_of or find_newest_month(home), splits, editions)
        for part in (
            ask_segments, ask_rulebooks, ask_cohorts, ask_moves, ask_changes, ask_figures,
        ):  # fmt: skip
            start = time.monotonic()
            before = len(recorder.codes)
            part(recorder.ask, scope)
            spent = time.monotonic() - start
            print(f"{part.__name__}: {len(recorder.codes) - before} questions, {spent:.0f} s")
    codes = list(recorder.codes.values())
    told = ", ".join(f"exit code {code}: {codes.count(code)}" for code in sorted(set(codes), key=str))
    print(f"{len(codes)} questions in {time.monotonic() - begun:.0f} s; {told}")
