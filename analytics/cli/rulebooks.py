"""The rulebooks on the command line: schemes, classify, explain, compare, check, compliance."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import click
import pandas as pd

from analytics import rulebooks
from analytics.cli.options import (
    POSITIVE,
    as_of_option,
    command,
    format_option,
    home_option,
    language_option,
    show,
)
from analytics.grading import compliance, csv_batch, facts, swap_sets
from analytics.grading.facts import GradingResult
from analytics.rulebooks import Decision, NearestChange, Rulebook, Scheme, TraceStep, service_rules
from analytics.rulebooks.conditions import plain_text
from data.editions.reader import Warehouse
from data.errors import UserError
from data.messages import both_languages

_OUTCOMES = {True: "yes", False: "no", None: "missing"}
_SIGNS = {True: "+", False: "-", None: "?"}

_NO_BOUNDARY = {
    "zh-CN": {
        "up": "最近的上界：没有哪一项事实单独改变就能进入更好的类别",
        "down": "最近的下界：没有哪一项事实单独改变就会落入更差的类别",
    },
    "en": {
        "up": "nearest up: no change of one fact alone gives a better class",
        "down": "nearest down: no change of one fact alone gives a worse class",
    },
}
_STAGES = {
    "zh-CN": {
        "bar": "禁入",
        "class": "类别",
        "downgrade": "降级",
        "score": "评分",
        "key": "+ 成立  - 不成立  ? 缺少事实  * 定类所依据",
    },
    "en": {
        "bar": "Bar",
        "class": "Class",
        "downgrade": "Downgrade",
        "score": "Score",
        "key": "+ held  - not held  ? a fact is missing  * helped to give the class",
    },
}
_REQUIRED_SCHEME = click.option("--scheme", required=True)
_FILE = click.Path(path_type=Path)


def _read() -> dict[str, Scheme]:
    try:
        return rulebooks.read_schemes()
    except rulebooks.RulebookError as error:
        raise UserError("rulebook_refused", reason=error) from error


def _scheme(name: str) -> Scheme:
    schemes = _read()
    if name not in schemes:
        raise UserError("unknown_scheme", scheme=name, known=schemes)
    return schemes[name]


@command(
    "schemes",
    "列出规则手册及其版本 / list the rulebooks and their editions",
    home_option(),
    format_option(),
    language_option(),
)
def _schemes(format: str, lang: str, **_unused: Any) -> None:
    # The rulebooks are those of the program, of whichever home: --home is taken as everywhere.
    rows = [_edition_row(book, lang) for scheme in _read().values() for book in scheme.editions]
    show(pd.DataFrame(rows), format)


def _edition_row(book: Rulebook, lang: str) -> dict[str, str]:
    classes = [f"{code} {book.class_names(code)[lang]}" for code in book.class_codes]
    return {
        "scheme": book.id,
        "grain": book.grain,
        "edition": book.effective_on.isoformat(),
        "repealed_on": str(book.repealed_on or ""),
        "name": book.names[lang],
        "classes": ", ".join(classes),
        "document": book.document[lang],
        "approved_by": book.approved_by,
        "digest": book.digest,
    }


@command(
    "classify",
    "按手册给一个 CSV 的事实定类 / class every row of a CSV of facts",
    _REQUIRED_SCHEME,
    click.option(
        "--edition", help="effective date, or FILE.toml; the newest edition where not given"
    ),
    click.option(
        "--facts",
        "facts_file",
        required=True,
        type=_FILE,
        metavar="FILE.csv",
        help="a header of fact names",
    ),
    format_option(),
    language_option(),
)
def _classify(scheme: str, edition: str | None, facts_file: Path, format: str, lang: str) -> int:
    rules = _scheme(scheme)
    book = swap_sets.find_rulebook(rules, edition) if edition else rules.editions[-1]
    graded = csv_batch.grade(facts_file, book, rulebooks.facts()[book.grain], lang)
    show(graded, format)
    refused = int((graded["error"] != "").sum())
    if refused:
        print(
            both_languages("rows_not_classified", refused=refused, rows=len(graded)),
            file=sys.stderr,
        )
    return 1 if refused else 0


@command(
    "explain",
    "一位客户为什么是这一类 / why a customer is in a class",
    click.argument("customer"),
    _REQUIRED_SCHEME,
    as_of_option(),
    home_option(),
    format_option(),
    language_option(),
)
def _explain(customer: str, scheme: str, as_of: date, home: Path, format: str, lang: str) -> None:
    try:
        book = _scheme(scheme).edition(as_of)
    except rulebooks.NoEdition as error:
        raise UserError("rulebook_edition_missing", reason=error) from error
    with Warehouse(home).session() as reader:
        results = facts.explain_customer(reader, [book], as_of, customer)
    if not results:
        raise UserError("nothing_to_grade", as_of=as_of)
    if format == "json":
        answers = [_answer(result, lang) for result in results]
        print(json.dumps(answers, ensure_ascii=False, indent=1))
    elif format == "csv":
        traces = [_trace(result, lang) for result in results]
        show(pd.concat(traces, ignore_index=True), "csv")
    else:
        for result in results:
            _print(result, as_of, lang)


def _trace(result: GradingResult, lang: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "number": result.number,
            "stage": step.stage,
            "class": step.code,
            "clause": step.clause,
            "rule": "  " * step.depth + step.words(lang),
            "value": plain_text(step.value),
            "held": _OUTCOMES[step.outcome],
            "applied": "yes" if step.applied else "",
            "points": "" if step.points is None else step.points,
        }
        for step in result.decision.trace
    )


def _answer(result: GradingResult, lang: str) -> dict[str, Any]:
    book = result.book
    decision = result.decision
    return {
        "number": result.number,
        "scheme": book.id,
        "edition": book.effective_on.isoformat(),
        "class": decision.code,
        "name": decision.names[lang],
        "class_kept": result.stored_class,
        "clauses": list(decision.clauses),
        "missing": list(decision.missing),
        "score": decision.score,
        "boundary": {
            direction: boundary(book, change, lang)
            for direction, change in decision.nearest_changes.items()
        },
        "trace": _trace(result, lang).drop(columns="number").to_dict("records"),
    }


def _print(result: GradingResult, as_of: date, lang: str) -> None:
    """Print class, missing facts, nearest boundaries and trace of one customer or loan."""
    zh = lang == "zh-CN"
    book = result.book
    decision = result.decision
    edition = "版本" if zh else "edition"
    print(f"{result.number}  {book.names[lang]}  {as_of}  {edition} {book.effective_on}")
    clauses = ""
    if decision.clauses:
        clauses = f"  ({'条款' if zh else 'clauses'} {', '.join(decision.clauses)})"
    print(f"{'类别' if zh else 'class'}: {decision.code} {decision.names[lang]}{clauses}")
    if decision.code != result.stored_class:
        label = "月末定类" if zh else "kept at the month end"
        print(f"{label}: {result.stored_class}（资料其后有补报 / facts came in later）")
    if decision.missing:
        names = [f"{name} {book.fact_index[name].words(lang)}" for name in decision.missing]
        print(f"{'缺少' if zh else 'missing'}: {', '.join(names)}")
    if decision.code != book.unrated:
        for direction in ("up", "down"):
            change = decision.nearest_changes.get(direction)
            print(boundary(book, change, lang) if change else _NO_BOUNDARY[lang][direction])
    _print_trace(book, decision, lang)
    print()


def _print_trace(book: Rulebook, decision: Decision, lang: str) -> None:
    heading = None
    for step in decision.trace:
        if (step.stage, step.code) != heading:
            heading = (step.stage, step.code)
            print(f"{_STAGES[lang][step.stage]} {step.code}".rstrip())
        value = f" = {_value(book, step, lang)}" if step.fact else ""
        points = "" if step.points is None else f" [{step.points}]"
        mark = _SIGNS[step.outcome] + ("*" if step.applied else " ")
        rule = f"{'  ' * step.depth}{step.clause}  {step.words(lang)}"
        print(f"  {mark} {rule}{value}{points}")
    print(_STAGES[lang]["key"])


def boundary(book: Rulebook, change: NearestChange, lang: str) -> str:
    """Say the nearest boundary in one sentence."""
    fact = change.fact
    unit = f" {fact.unit(lang)}" if fact.unit(lang) else ""
    now = f"{fact.value_words(change.value, lang)}{unit}"
    then = f"{fact.value_words(change.target_value, lang)}{unit}"
    difference = _difference(change, unit)
    name = book.class_names(change.code)[lang]
    if lang == "zh-CN":
        side = "上" if change.direction == "up" else "下"
        apart = f"（{difference}）" if difference else ""
        return f"最近的{side}界：{fact.words(lang)}由 {now} 变为 {then}{apart}，即为{name}"
    apart = f" ({difference})" if difference else ""
    return (
        f"nearest {change.direction}: {fact.words(lang)} from {now} to {then}{apart} gives {name}"
    )


def _difference(change: NearestChange, unit: str) -> str:
    """The difference of a numeric fact with its sign; empty for other facts."""
    if change.difference is None:
        return ""
    sign = "+" if change.difference > 0 else ""
    return f"{sign}{plain_text(change.difference)}{unit}"


def _value(book: Rulebook, step: TraceStep, lang: str) -> str:
    """The customer's value in the words and the unit of the fact."""
    if step.value is None:
        return "缺失" if lang == "zh-CN" else "missing"
    fact = book.fact_index.get(step.fact)
    if fact is None:
        return plain_text(step.value)
    unit = fact.unit(lang)
    return f"{fact.value_words(step.value, lang)}{f' {unit}' if unit else ''}"


@command(
    "compare",
    "换一个版本谁会变 / who moves when an edition takes another's place",
    _REQUIRED_SCHEME,
    click.option(
        "--from", "before", required=True, metavar="EDITION", help="effective date, or FILE.toml"
    ),
    click.option("--to", "after", required=True, metavar="EDITION|FILE.toml"),
    click.option("--totals", is_flag=True, help="per class how many before, in, out and then"),
    as_of_option(),
    home_option(),
    format_option(),
    language_option(),
)
def _compare(
    scheme: str,
    before: str,
    after: str,
    totals: bool,
    as_of: date,
    home: Path,
    format: str,
    lang: str,
) -> None:
    rules = _scheme(scheme)
    comparison = swap_sets.compare(
        Warehouse(home),
        swap_sets.find_rulebook(rules, before),
        swap_sets.find_rulebook(rules, after),
        as_of,
    )
    frame = comparison.totals() if totals else comparison.frame
    window = comparison.window
    show(frame.assign(observed_from=str(window.first), observed_to=str(window.last)), format)
    if not window.is_out_of_time:
        print(both_languages("outcomes_of_months_before", as_of=as_of), file=sys.stderr)


@command(
    "check",
    "签署前检查一个手册文件 / check a rulebook before signing",
    click.argument("file", type=_FILE),
    language_option(),
)
def _check(file: Path, lang: str) -> int:
    if not file.is_file():
        raise UserError("no_rulebook_file", file=file)
    try:
        if file.name == service_rules.FILE:
            return _check_service(file.parent, lang)
        book = rulebooks.read_rulebook_file(file)
    except rulebooks.RulebookError as error:
        print(error.text(lang), file=sys.stderr)
        return 1
    name = book.names[lang]
    count = len(book.examples) + len(book.calculations)
    if lang == "zh-CN":
        print(f"通过：{name}，自 {book.effective_on} 起施行，{count} 个示例全部符合。")
    else:
        print(f"Passed: {name}, in force from {book.effective_on}; all {count} examples hold.")
    if file.stem != book.effective_on.isoformat():
        place = f"{book.id}/{book.effective_on}.toml"
        print(both_languages("rulebook_file_name", place=place), file=sys.stderr)
    return 0


def _check_service(folder: Path, lang: str) -> int:
    """Check the rules of the compliance lists, with the newest parameters of the rulebooks."""
    rules = service_rules.read_service(folder, _read(), date.max)[0]
    names = ("、" if lang == "zh-CN" else ", ").join(rule.names[lang] for rule in rules.values())
    print(f"通过：{names}。" if lang == "zh-CN" else f"Passed: {names}.")
    return 0


@command(
    "compliance",
    "合规清单 / loans and customers that break a service rule",
    click.option(
        "--rule", help="list those that break this rule; all rules are counted where not given"
    ),
    click.option("--limit", type=POSITIVE, default=100_000, help="most rows of a list"),
    as_of_option(),
    home_option(),
    format_option(),
    language_option(),
)
def _compliance(
    rule: str | None, limit: int, as_of: date, home: Path, format: str, lang: str
) -> None:
    warehouse = Warehouse(home)
    if rule:
        show(compliance.breaches(warehouse, as_of, rule, limit=limit), format)
        return
    rules = compliance.rules_in_force(as_of)
    counts = compliance.counts(warehouse, as_of)
    words = [f"{rules[name].names[lang]} ({rules[name].clause})" for name in counts["rule"]]
    show(counts.assign(words=words), format)


COMMANDS: tuple[click.Command, ...] = (
    _schemes,
    _classify,
    _explain,
    _compare,
    _check,
    _compliance,
)
