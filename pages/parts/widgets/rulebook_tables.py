"""Rulebooks as tables: all rules, the trace of one decision, worked examples."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.presentation import theme
from analytics.rulebooks import Decision, Example, NearestChange, Rulebook
from analytics.rulebooks.conditions import Group, Rule, plain_text
from analytics.rulebooks.model import Calculation, Class
from pages.parts.widgets.text import caption, section_title
from pages.parts.widgets.theme import is_dark

# A row of cells, or a heading across the table.
Row = str | Sequence[object]
MARK = {True: "✓", False: "✗", None: "?"}


class Html(str):
    """Markup made here from escaped text; every other cell is plain text."""


def table(
    heads: Sequence[str],
    rows: Iterable[Row],
    *,
    right: Sequence[int] = (),
    tight: Sequence[int] = (),
) -> None:
    """Draw a table whose cells wrap; a row that is one string is a heading."""

    def cell(place: int, value: object) -> str:
        style = ""
        if place in right:
            style = "num"
        elif place in tight:
            style = "tight"
        content = value if isinstance(value, Html) else html.escape(str(value))
        return f'<td class="{style}">{content}</td>'

    lines = []
    for row in rows:
        if isinstance(row, str):
            lines.append(
                f'<tr class="head"><td colspan="{len(heads)}">{html.escape(row)}</td></tr>'
            )
        else:
            lines.append(
                "<tr>" + "".join(cell(place, value) for place, value in enumerate(row)) + "</tr>"
            )
    top = "".join(
        f'<th class="{"num" if place in right else ""}">{html.escape(head)}</th>'
        for place, head in enumerate(heads)
    )
    st.html(
        f'<div class="lp-rules"><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def indented(words: str, depth: int, ours: bool, lang: str) -> Html:
    """Return a rule indented below its group, marked where the threshold is the bank's own."""
    mark = f'<span class="lp-ours">{html.escape(say("rules.ours", lang))}</span>' if ours else ""
    return Html(f'<div style="padding-left:{1.2 * depth:.1f}em">{html.escape(words)}{mark}</div>')


def rulebook_table(book: Rulebook, lang: str) -> None:
    """Draw exclusions, classes in order of evaluation, downgrades and scorecard."""
    heads = [say(f"rules.{head}", lang) for head in ("clause", "rule", "effect")]
    rows = [
        *_exclusion_rows(book, lang),
        *_class_rows(book, lang),
        *_downgrade_rows(book, lang),
        *_score_rows(book, lang),
    ]
    table(heads, rows, tight=(0,))


def _exclusion_rows(book: Rulebook, lang: str) -> list[Row]:
    if not book.exclusions:
        return []
    name = book.class_names(book.exclusion_class)[lang]
    rows: list[Row] = [say("rules.bars", lang, name=name)]
    for rule in book.exclusions:
        rows += _rule(rule, "", 0, lang)
    return rows


def _class_rows(book: Rulebook, lang: str) -> list[Row]:
    rows: list[Row] = []
    without_rules = [grade.code for grade in book.classes if grade.rules is None]
    for place, code in enumerate((*book.evaluation_order, *without_rules), start=1):
        grade = book.class_of(code)
        name = grade.names[lang]
        if grade.rules is None:
            key = "rules.otherwise" if code == book.otherwise else "rules.no_rules"
            rows += [name, (grade.note.clause, say(key, lang), _service(grade, lang))]
            continue
        rows.append(f"{name} · {say('rules.tried', lang, place=place)}")
        joint = ""
        if len(grade.rules.members) > 1:
            joint = say("rules.all" if grade.rules.kind == "all" else "rules.any", lang)
        for index, member in enumerate(grade.rules.members):
            if index == 0:
                rows.append(("", joint, _service(grade, lang)))
            rows += _rule(member, grade.note.clause, 0, lang)
    return rows


def _downgrade_rows(book: Rulebook, lang: str) -> list[Row]:
    rows: list[Row] = []
    if book.downgrades:
        rows.append(say("rules.downgrades", lang))
    for downgrade in book.downgrades:
        if downgrade.to:
            name = book.class_names(downgrade.to)[lang]
            effect = say("rules.down_to", lang, name=name)
        else:
            effect = say("rules.down_by", lang, steps=downgrade.by)
        first, *rest = _rule(downgrade.when, downgrade.note.clause, 0, lang)
        rows += [(first[0], first[1], effect), *rest]
    return rows


def _score_rows(book: Rulebook, lang: str) -> list[Row]:
    rows: list[Row] = []
    for item in book.score:
        rows.append(f"{say('rules.score', lang)} · {item.name[lang]}")
        for band, points in item.bands:
            first, *rest = _rule(band, item.note.clause, 0, lang)
            rows += [(first[0], first[1], say("rules.points", lang, points=points)), *rest]
        otherwise = say("rules.points", lang, points=item.otherwise)
        rows.append((item.note.clause, say("rules.otherwise_points", lang), otherwise))
    return rows


def _service(item: Class, lang: str) -> str:
    return item.service.get(lang, "")


def _rule(node: Rule | Group, clause: str, depth: int, lang: str) -> list[tuple[str, str, str]]:
    """Return the rows of one rule and, for a group, of its members."""
    clause = node.note.clause or clause
    lines = [(clause, indented(rule_words(node, lang), depth, node.note.is_ours, lang), "")]
    if isinstance(node, Group):
        for member in node.members:
            below = _rule(member, clause, depth + 1, lang)
            lines += [("" if line[0] == clause else line[0], line[1], line[2]) for line in below]
    return lines


def rule_words(node: Rule | Group, lang: str) -> str:
    """Return a rule in words; a group without its own says whether all or any must hold."""
    if isinstance(node, Group) and not node.note.words.get("zh-CN"):
        return say("rules.all" if node.kind == "all" else "rules.any", lang)
    return node.words(lang)


def trace(book: Rulebook, decision: Decision, lang: str) -> None:
    """Draw why the class is what it is: every rule checked, its value, whether it held."""
    rows: list[Row] = []
    above = None
    for check in decision.trace:
        if (check.stage, check.code) != above:
            above = (check.stage, check.code)
            name = book.class_names(check.code)[lang] if check.code else ""
            rows.append(f"{say(f'rules.stage_{check.stage}', lang)} {name}".strip())
        outcome = MARK[check.outcome]
        if check.applied:
            outcome += " ●"
        if check.points is not None:
            outcome += f" {check.points}"
        value = value_of(book, check.fact, check.value, lang) if check.fact else ""
        words = indented(rule_words(check.rule, lang), check.depth, check.rule.note.is_ours, lang)
        rows.append((check.clause, words, value, outcome))
    table(
        [say(f"rules.{head}", lang) for head in ("clause", "rule", "value", "held")],
        rows,
        tight=(0, 2, 3),
    )
    caption(say("rules.legend", lang))


def value_of(book: Rulebook, name: str, value: Any, lang: str) -> str:
    """Return the value of a fact in words."""
    if value is None:
        return say("rules.missing", lang)
    if isinstance(value, bool):
        return yes_no(value, lang)
    fact = book.fact_index.get(name)
    if fact is not None and fact.type == "money":
        return text.exact(float(value), "money", lang)
    return fact.value_words(value, lang) if fact is not None else plain_text(value)


def facts_of(book: Rulebook, case: Example, lang: str) -> str:
    """Return the facts of an example; a later one of the same person names only the differences."""
    first = next(other for other in book.examples if case.person == other.person)
    brief = case.person and case is not first
    names = dict.fromkeys([*case.own, *first.own]) if brief else case.facts
    words = []
    for name in names:
        if name in book.fact_index:
            label = book.fact_index[name].words(lang)
            words.append(f"{label} {value_of(book, name, case.facts.get(name), lang)}")
    facts = text.listing(words, lang)
    if not brief:
        return facts
    return say("rules.as_first", lang, case=first.case[lang], facts=facts)


def calculations(book: Rulebook, lang: str) -> None:
    """Draw the worked calculations of the parameters, where the rulebook has any."""
    if not book.calculations:
        return
    section_title(say("rules.calculations", lang, count=len(book.calculations)))
    rows = [
        (
            calculation.clause,
            calculation.case[lang],
            say(f"rules.asks_{calculation.asks}", lang),
            _calculation_result(calculation, lang),
        )
        for calculation in book.calculations
    ]
    table(
        [say(f"rules.{head}", lang) for head in ("clause", "case", "asks", "gives")],
        rows,
        right=(3,),
        tight=(0, 2),
    )


def _calculation_result(calculation: Calculation, lang: str) -> str:
    if calculation.asks == "repayment_ratio":
        return text.number(float(calculation.gives), "rate", lang)
    return say("rules.years", lang, years=calculation.gives)


def boundary(book: Rulebook, change: NearestChange | None, lang: str) -> str:
    """Return what would change the class: 近12个月最大逾期天数 0 → 31 天：B 良好."""
    if change is None:
        return text.NOTHING
    unit = change.fact.unit(lang)
    now, then = (
        value_of(book, change.fact.name, value, lang)
        for value in (change.value, change.target_value)
    )
    return say(
        "rules.boundary",
        lang,
        fact=change.fact.words(lang),
        now=now,
        then=then + (f" {unit}" if unit else ""),
        name=book.class_names(change.code)[lang],
    )


def sparkline(values: Sequence[float], name: str, lang: str) -> Html:
    """Return months as a line, with its first and last value as alt text."""
    alt = say(
        "rules.spark",
        lang,
        name=name,
        months=len(values),
        first=f"{values[0]:,}",
        last=f"{values[-1]:,}",
    )
    return Html(theme.sparkline(values, alt, theme.theme_for(is_dark()).ink))


def yes_no(value: bool | None, lang: str) -> str:
    """Return 是 or 否; a dash where the value is missing."""
    if text.is_missing(value) or value is None:
        return text.NOTHING
    return say("rules.yes" if value else "rules.no", lang)


def parameter(value: Any, lang: str) -> str:
    """Return the value of a parameter in words."""
    if isinstance(value, bool):
        return yes_no(value, lang)
    if isinstance(value, tuple):
        return text.listing([str(item) for item in value], lang)
    return plain_text(value)
