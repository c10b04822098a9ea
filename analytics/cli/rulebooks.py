"""The rulebooks on the command line: schemes, classify, explain, compare, check, compliance."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from pathlib import Path

import pandas as pd

from analytics import rulebooks
from analytics.cli.options import date_of, formatted, housed, positive, show
from analytics.grading import compliance, csv_batch, facts, swap_sets
from analytics.rulebooks import Change, Check, Decision, Rulebook, Scheme, service_rules
from analytics.rulebooks.conditions import plain
from data.editions.engine import Warehouse
from data.errors import UserError

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


def add(commands) -> None:
    """Give the parser the commands of the rulebooks."""
    made = commands.add_parser("schemes", help="列出规则手册及其版本 / list the rulebooks and their editions")
    made.set_defaults(run=_schemes)
    made = commands.add_parser("classify", help="按手册给一个 CSV 的事实定类 / class every row of a CSV of facts")
    made.add_argument("--scheme", required=True)
    made.add_argument("--edition", help="effective date, or FILE.toml; the newest edition where not given")
    made.add_argument("--facts", required=True, type=Path, metavar="FILE.csv", help="a header of fact names")
    made.set_defaults(run=_classify)
    made = commands.add_parser("explain", help="一位客户为什么是这一类 / why a customer is in a class")
    made.add_argument("customer", help="the bank's number of the customer")
    made.add_argument("--scheme", required=True)
    made.set_defaults(run=_explain)
    _bank_option(made, True)
    made = commands.add_parser("compare", help="换一个版本谁会变 / who moves when an edition takes another's place")
    made.add_argument("--scheme", required=True)
    made.add_argument("--from", dest="before", required=True, metavar="EDITION", help="effective date, or FILE.toml")
    made.add_argument("--to", dest="after", required=True, metavar="EDITION|FILE.toml")
    made.add_argument("--totals", action="store_true", help="per class how many before, in, out and then")
    made.set_defaults(run=_compare)
    _bank_option(made, True)
    made = commands.add_parser("check", help="签署前检查一个手册文件 / check a rulebook before signing")
    made.add_argument("file", type=Path, metavar="FILE.toml")
    made.set_defaults(run=_check)
    _spoken(made)
    made = commands.add_parser("compliance", help="合规清单 / loans and customers that break a service rule")
    made.add_argument("--rule", help="list those that break this rule; all rules are counted where not given")
    made.add_argument("--limit", type=positive, default=100_000, help="most rows of a list")
    made.set_defaults(run=_compliance)
    _bank_option(made, True)
    for command in ("schemes", "classify", "explain", "compare", "compliance"):
        formatted(commands.choices[command])
        _spoken(commands.choices[command])


def _spoken(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lang", choices=("zh-CN", "en"), default="zh-CN", help="language of names and reasons")


def _bank_option(parser: argparse.ArgumentParser, dated: bool) -> None:
    parser.add_argument("--as-of", required=dated, type=date_of, metavar="DATE", help="month end, YYYY-MM-DD")
    housed(parser)


def _short(lang: str) -> str:
    return "zh" if lang == "zh-CN" else "en"


def _read() -> dict[str, Scheme]:
    try:
        return rulebooks.read()
    except rulebooks.RulebookError as error:
        raise UserError("rulebook_refused", reason=error) from error


def _scheme(named: str) -> Scheme:
    known = _read()
    if named not in known:
        raise UserError("unknown_scheme", scheme=named, known=known)
    return known[named]


def _schemes(given: argparse.Namespace) -> None:
    lang = _short(given.lang)
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
        given.format,
    )  # fmt: skip


def _classify(given: argparse.Namespace) -> int:
    scheme = _scheme(given.scheme)
    book = swap_sets.edition(scheme, given.edition) if given.edition else scheme.editions[-1]
    graded = csv_batch.grade(given.facts, book, rulebooks.facts()[book.grain], given.lang)
    show(graded, given.format)
    refused = int((graded["error"] != "").sum())
    if refused:
        print(
            f"{refused} 行未定类，原因见 error 列。"
            f"{refused} of {len(graded)} rows are not classified; see column error.",
            file=sys.stderr,
        )
    return 1 if refused else 0


def _explain(given: argparse.Namespace) -> None:
    scheme, lang = _scheme(given.scheme), _short(given.lang)
    try:
        book = scheme.edition(given.as_of)
    except rulebooks.NoEdition as error:
        raise UserError("rulebook_edition_missing", reason=error) from error
    with Warehouse(given.home).session() as view:
        cases = facts.cases(view, [book], given.as_of, given.customer)
    told = [(case.number, case.kept, case.decision) for case in cases]
    if not told:
        raise UserError("nothing_to_grade", as_of=given.as_of)
    if given.format == "json":
        print(json.dumps([_told(book, *case, lang) for case in told], ensure_ascii=False, indent=1))
    elif given.format == "csv":
        show(pd.concat([_trace(number, decision, lang) for number, _, decision in told], ignore_index=True), "csv")
    else:
        for number, kept, decision in told:
            _print(book, number, kept, decision, given.as_of, lang)


def _trace(number: str, decision: Decision, lang: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "number": number, "stage": check.stage, "class": check.code, "clause": check.clause,
            "rule": "  " * check.depth + check.words(lang), "value": plain(check.value), "held": _HELD[check.held],
            "applied": "yes" if check.applied else "", "points": "" if check.points is None else check.points,
        }
        for check in decision.checks
    )  # fmt: skip


def _told(book: Rulebook, number: str, kept: str, decision: Decision, lang: str) -> dict:
    return {
        "number": number, "scheme": book.id, "edition": book.effective_on.isoformat(), "class": decision.code,
        "name": decision.names[lang], "class_kept": kept, "clauses": list(decision.clauses),
        "missing": list(decision.missing), "score": decision.score,
        "boundary": {way: boundary(book, change, lang) for way, change in decision.boundary.items()},
        "trace": _trace(number, decision, lang).drop(columns="number").to_dict("records"),
    }  # fmt: skip


def _print(book: Rulebook, number: str, kept: str, decision: Decision, as_of: date, lang: str) -> None:
    zh = lang == "zh"
    print(f"{number}  {book.names[lang]}  {as_of}  {'版本' if zh else 'edition'} {book.effective_on}")
    print(f"{'类别' if zh else 'class'}: {decision.code} {decision.names[lang]}", end="")
    print(f"  ({'条款' if zh else 'clauses'} {', '.join(decision.clauses)})" if decision.clauses else "")
    if decision.code != kept:
        print(f"{'月末定类' if zh else 'kept at the month end'}: {kept}（资料其后有补报 / facts came in later）")
    if decision.missing:
        names = ", ".join(f"{name} {book.fact_index[name].words(lang)}" for name in decision.missing)
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
        sign = {True: "+", False: "-", None: "?"}[check.held]
        applied = "*" if check.applied else " "
        print(f"  {sign}{applied} {'  ' * check.depth}{check.clause}  {check.words(lang)}{value}{points}")
    print(stages["key"])
    print()


def boundary(book: Rulebook, change: Change, lang: str) -> str:
    """The nearest boundary as a sentence."""
    fact, unit = change.fact, change.fact.unit(lang)
    unit = f" {unit}" if unit else ""
    now, then = (f"{fact.value_words(value, lang)}{unit}" for value in (change.value, change.needed))
    apart = "" if change.difference is None else f"{plain(change.difference)}{unit}"
    apart = f"+{apart}" if change.difference is not None and change.difference > 0 else apart
    name = book.class_names(change.code)[lang]
    if lang == "zh":
        way = "上" if change.direction == "up" else "下"
        return f"最近的{way}界：{fact.words(lang)}由 {now} 变为 {then}{f'（{apart}）' if apart else ''}，即为{name}"
    gives = f"{f' ({apart})' if apart else ''} gives {name}"
    return f"nearest {change.direction}: {fact.words(lang)} from {now} to {then}{gives}"


def _value(book: Rulebook, check: Check, lang: str) -> str:
    """The customer's value as the officer reads it, in the fact's unit."""
    if check.value is None:
        return "缺失" if lang == "zh" else "missing"
    fact = book.fact_index.get(check.fact)
    if fact is None:
        return plain(check.value)
    unit = fact.unit(lang)
    return f"{fact.value_words(check.value, lang)}{f' {unit}' if unit else ''}"


def _compare(given: argparse.Namespace) -> None:
    scheme = _scheme(given.scheme)
    before, after = swap_sets.edition(scheme, given.before), swap_sets.edition(scheme, given.after)
    made = swap_sets.compare(Warehouse(given.home), before, after, given.as_of)
    frame = made.totals() if given.totals else made.frame
    show(frame.assign(observed_from=str(made.window.first), observed_to=str(made.window.last)), given.format)
    if not made.window.is_after:
        print(
            f"观察窗为 {given.as_of} 之前 12 个月：按逾期定类的规则，其结果部分由定义决定。"
            "The outcomes are those of the 12 months before: a rule on past overdue has a hand in them.",
            file=sys.stderr,
        )


def _check(given: argparse.Namespace) -> int:
    lang = _short(given.lang)
    if not given.file.is_file():
        raise UserError("no_rulebook_file", file=given.file)
    try:
        if given.file.name == service_rules.FILE:
            return _check_service(given.file.parent, lang)
        book = rulebooks.read_file(given.file)
    except rulebooks.RulebookError as error:
        print(error.text(lang), file=sys.stderr)
        return 1
    worked = len(book.examples) + len(book.calculations)
    if lang == "zh":
        print(f"通过：{book.names[lang]}，自 {book.effective_on} 起施行，{worked} 个示例全部符合。")
    else:
        print(f"Passed: {book.names[lang]}, in force from {book.effective_on}; all {worked} examples hold.")
    if given.file.stem != book.effective_on.isoformat():
        place = f"{book.id}/{book.effective_on}.toml"
        print(f"提示：启用时文件名须为 {place}。Put in force, the file is {place}.", file=sys.stderr)
    return 0


def _check_service(folder: Path, lang: str) -> int:
    """The rules of the compliance lists, with the newest parameters of the rulebooks."""
    found = service_rules.read_service(folder, _read(), date.max)[0]
    names = ("、" if lang == "zh" else ", ").join(rule.names[lang] for rule in found.values())
    print(f"通过：{names}。" if lang == "zh" else f"Passed: {names}.")
    return 0


def _compliance(given: argparse.Namespace) -> None:
    bank, lang = Warehouse(given.home), _short(given.lang)
    if given.rule:
        return show(compliance.breaches(bank, given.as_of, given.rule, limit=given.limit), given.format)
    known = compliance.rules(given.as_of)
    counts = compliance.counts(bank, given.as_of)
    words = [f"{known[rule].names[lang]} ({known[rule].clause})" for rule in counts["rule"]]
    show(counts.assign(words=words), given.format)
