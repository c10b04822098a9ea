"""The rulebooks on the command line: schemes, classify, explain, compare, check, compliance."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

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
from analytics.rulebooks import Decision, NearestChange, Rulebook, Scheme, TraceStep, service_rules
from analytics.rulebooks.conditions import plain_text
from data.editions.reader import Warehouse
from data.errors import UserError
from data.messages import both_languages

_HELD = {True: "yes", False: "no", None: "missing"}

_NO_BOUNDARY = {
    "zh": {
        "up": "最近的上界：没有哪一项事实单独改变就能进入更好的类别",
        "down": "最近的下界：没有哪一项事实单独改变就会落入更差的类别",
    },
    "en": {
        "up": "nearest up: no change of one fact alone gives a better class",
        "down": "nearest down: no change of one fact alone gives a worse class",
    },
}
_STAGES = {
    "zh": {
        "bar": "禁入", "class": "类别", "downgrade": "降级", "score": "评分",
        "key": "+ 成立  - 不成立  ? 缺少事实  * 定类所依据",
    },
    "en": {
        "bar": "Bar", "class": "Class", "downgrade": "Downgrade", "score": "Score",
        "key": "+ held  - not held  ? a fact is missing  * helped to give the class",
    },
}  # fmt: skip


COMMANDS: list[click.Command] = []


def _command(name: str, words: str, *options: Callable) -> Callable:
    made = command(name, words, *options)

    def added(function: Callable) -> click.Command:
        COMMANDS.append(made(function))
        return COMMANDS[-1]

    return added


_REQUIRED_SCHEME = click.option("--scheme", required=True)
_FILE = click.Path(path_type=Path)


def _short(lang: str) -> str:
    return "zh" if lang == "zh-CN" else "en"


def _read() -> dict[str, Scheme]:
    try:
        return rulebooks.read_schemes()
    except rulebooks.RulebookError as error:
        raise UserError("rulebook_refused", reason=error) from error


def _scheme(named: str) -> Scheme:
    known = _read()
    if named not in known:
        raise UserError("unknown_scheme", scheme=named, known=known)
    return known[named]


@_command(
    "schemes",
    "列出规则手册及其版本 / list the rulebooks and their editions",
    format_option(),
    language_option(),
)
def _schemes(format: str, lang: str) -> None:
    lang = _short(lang)
    show(
        pd.DataFrame(
            {
                "scheme": scheme.id, "grain": book.grain, "edition": book.effective_on.isoformat(),
                "repealed_on": str(book.repealed_on or ""), "name": book.names[lang],
                "classes": ", ".join(f"{code} {book.class_names(code)[lang]}" for code in book.class_codes),
                "document": book.document[lang], "approved_by": book.approved_by, "digest": book.digest,
            }
            for scheme in _read().values() for book in scheme.editions
        ),
        format,
    )  # fmt: skip


@_command(
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


@_command(
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
    lang = _short(lang)
    try:
        book = _scheme(scheme).edition(as_of)
    except rulebooks.NoEdition as error:
        raise UserError("rulebook_edition_missing", reason=error) from error
    with Warehouse(home).session() as view:
        cases = facts.explain_customer(view, [book], as_of, customer)
    told = [(case.number, case.stored_class, case.decision) for case in cases]
    if not told:
        raise UserError("nothing_to_grade", as_of=as_of)
    if format == "json":
        print(json.dumps([_told(book, *case, lang) for case in told], ensure_ascii=False, indent=1))
    elif format == "csv":
        show(
            pd.concat(
                [_trace(number, decision, lang) for number, _, decision in told], ignore_index=True
            ),
            "csv",
        )
    else:
        for number, kept, decision in told:
            _print(book, number, kept, decision, as_of, lang)


def _trace(number: str, decision: Decision, lang: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "number": number,
            "stage": check.stage,
            "class": check.code,
            "clause": check.clause,
            "rule": "  " * check.depth + check.words(lang),
            "value": plain_text(check.value),
            "held": _HELD[check.outcome],
            "applied": "yes" if check.applied else "",
            "points": "" if check.points is None else check.points,
        }
        for check in decision.checks
    )


def _told(book: Rulebook, number: str, kept: str, decision: Decision, lang: str) -> dict:
    return {
        "number": number, "scheme": book.id, "edition": book.effective_on.isoformat(), "class": decision.code,
        "name": decision.names[lang], "class_kept": kept, "clauses": list(decision.clauses),
        "missing": list(decision.missing), "score": decision.score,
        "boundary": {way: boundary(book, change, lang) for way, change in decision.boundary.items()},
        "trace": _trace(number, decision, lang).drop(columns="number").to_dict("records"),
    }  # fmt: skip


def _print(
    book: Rulebook, number: str, kept: str, decision: Decision, as_of: date, lang: str
) -> None:
    zh = lang == "zh"
    print(
        f"{number}  {book.names[lang]}  {as_of}  {'版本' if zh else 'edition'} {book.effective_on}"
    )
    print(f"{'类别' if zh else 'class'}: {decision.code} {decision.names[lang]}", end="")
    print(
        f"  ({'条款' if zh else 'clauses'} {', '.join(decision.clauses)})"
        if decision.clauses
        else ""
    )
    if decision.code != kept:
        print(
            f"{'月末定类' if zh else 'kept at the month end'}: {kept}（资料其后有补报 / facts came in later）"
        )
    if decision.missing:
        names = ", ".join(
            f"{name} {book.fact_index[name].words(lang)}" for name in decision.missing
        )
        print(f"{'缺少' if zh else 'missing'}: {names}")
    for way in ("up", "down") if decision.code != book.unrated else ():
        change = decision.boundary.get(way)
        print(boundary(book, change, lang) if change else _NO_BOUNDARY[lang][way])
    stages = _STAGES["zh" if zh else "en"]
    above = None
    for check in decision.checks:
        if (check.stage, check.code) != above:
            above = (check.stage, check.code)
            print(f"{stages[check.stage]} {check.code}".rstrip())
        value = f" = {_value(book, check, lang)}" if check.fact else ""
        points = "" if check.points is None else f" [{check.points}]"
        sign = {True: "+", False: "-", None: "?"}[check.outcome]
        applied = "*" if check.applied else " "
        print(
            f"  {sign}{applied} {'  ' * check.depth}{check.clause}  {check.words(lang)}{value}{points}"
        )
    print(stages["key"])
    print()


def boundary(book: Rulebook, change: NearestChange, lang: str) -> str:
    """The nearest boundary as a sentence."""
    fact, unit = change.fact, change.fact.unit(lang)
    unit = f" {unit}" if unit else ""
    now, then = (
        f"{fact.value_words(value, lang)}{unit}" for value in (change.value, change.needed)
    )
    apart = "" if change.difference is None else f"{plain_text(change.difference)}{unit}"
    apart = f"+{apart}" if change.difference is not None and change.difference > 0 else apart
    name = book.class_names(change.code)[lang]
    if lang == "zh":
        way = "上" if change.direction == "up" else "下"
        return f"最近的{way}界：{fact.words(lang)}由 {now} 变为 {then}{f'（{apart}）' if apart else ''}，即为{name}"
    gives = f"{f' ({apart})' if apart else ''} gives {name}"
    return f"nearest {change.direction}: {fact.words(lang)} from {now} to {then}{gives}"


def _value(book: Rulebook, check: TraceStep, lang: str) -> str:
    """The customer's value as the officer reads it, in the fact's unit."""
    if check.value is None:
        return "缺失" if lang == "zh" else "missing"
    fact = book.fact_index.get(check.fact)
    if fact is None:
        return plain_text(check.value)
    unit = fact.unit(lang)
    return f"{fact.value_words(check.value, lang)}{f' {unit}' if unit else ''}"


@_command(
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
    editions = (swap_sets.find_rulebook(rules, name) for name in (before, after))
    made = swap_sets.compare(Warehouse(home), *editions, as_of)
    frame = made.totals() if totals else made.frame
    show(
        frame.assign(observed_from=str(made.window.first), observed_to=str(made.window.last)),
        format,
    )
    if not made.window.is_out_of_time:
        print(both_languages("outcomes_of_months_before", as_of=as_of), file=sys.stderr)


@_command(
    "check",
    "签署前检查一个手册文件 / check a rulebook before signing",
    click.argument("file", type=_FILE),
    language_option(),
)
def _check(file: Path, lang: str) -> int:
    lang = _short(lang)
    if not file.is_file():
        raise UserError("no_rulebook_file", file=file)
    try:
        if file.name == service_rules.FILE:
            return _check_service(file.parent, lang)
        book = rulebooks.read_rulebook_file(file)
    except rulebooks.RulebookError as error:
        print(error.text(lang), file=sys.stderr)
        return 1
    worked = len(book.examples) + len(book.calculations)
    if lang == "zh":
        print(f"通过：{book.names[lang]}，自 {book.effective_on} 起施行，{worked} 个示例全部符合。")
    else:
        print(
            f"Passed: {book.names[lang]}, in force from {book.effective_on}; all {worked} examples hold."
        )
    if file.stem != book.effective_on.isoformat():
        print(
            both_languages("rulebook_file_name", place=f"{book.id}/{book.effective_on}.toml"),
            file=sys.stderr,
        )
    return 0


def _check_service(folder: Path, lang: str) -> int:
    """The rules of the compliance lists, with the newest parameters of the rulebooks."""
    found = service_rules.read_service(folder, _read(), date.max)[0]
    names = ("、" if lang == "zh" else ", ").join(rule.names[lang] for rule in found.values())
    print(f"通过：{names}。" if lang == "zh" else f"Passed: {names}.")
    return 0


@_command(
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
    lang = _short(lang)
    if rule:
        show(compliance.breaches(warehouse, as_of, rule, limit=limit), format)
        return
    rules = compliance.rules_in_force(as_of)
    counts = compliance.counts(warehouse, as_of)
    words = [f"{rules[name].names[lang]} ({rules[name].clause})" for name in counts["rule"]]
    show(counts.assign(words=words), format)
