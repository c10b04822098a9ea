"""How rules are printed: a rulebook as a table, the trace of one decision, the sliders of thresholds."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.presentation import theme
from analytics.rulebooks import Change, Decision, Example, Rulebook
from analytics.rulebooks.conditions import Group, Rule, plain
from pages.parts.widgets import boards
from pages.parts.widgets.theme import is_dark

MARK = {True: "✓", False: "✗", None: "?"}
# Cells are words; one that is Html is markup made here from escaped words.
Html = type("Html", (str,), {})


def rulebook_lang(lang: str) -> str:
    """The language as rulebooks name it."""
    return "zh" if lang == "zh-CN" else "en"


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    right: Sequence[int] = (),
    tight: Sequence[int] = (),
) -> None:
    """A printed table whose cells may wrap. A row that is one string alone is a heading within the table."""

    def cell(place: int, value: Any) -> str:
        kind = "num" if place in right else "tight" if place in tight else ""
        return f'<td class="{kind}">{value if isinstance(value, Html) else html.escape(str(value))}</td>'

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
        f'<div class="lp-rules"><table><thead><tr>{top}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
    )


def indented(words: str, depth: int, ours: bool, lang: str) -> Html:
    """A rule under the group that it belongs to, with the sign of what is our own threshold."""
    mark = f'<span class="lp-ours">{html.escape(say("rules.ours", lang))}</span>' if ours else ""
    return Html(f'<div style="padding-left:{1.2 * depth:.1f}em">{html.escape(words)}{mark}</div>')


def rulebook_table(book: Rulebook, lang: str) -> None:
    """The rulebook as a table: bars, classes in the order in which they are tried, downgrades, scorecard."""
    rows: list[Any] = []
    if book.bars:
        rows.append(
            say("rules.bars", lang, name=book.class_names(book.barred)[rulebook_lang(lang)])
        )
        for bar in book.bars:
            rows += _rule(bar, "", 0, lang)
    for place, code in enumerate(
        (*book.look, *(c.code for c in book.classes if c.rules is None)), start=1
    ):
        found = book.class_of(code)
        name = found.names[rulebook_lang(lang)]
        if found.rules is None:
            how = "rules.otherwise" if code == book.otherwise else "rules.no_rules"
            rows += [name, (found.note.clause, say(how, lang), _service(found, lang))]
            continue
        rows.append(f"{name} · {say('rules.tried', lang, place=place)}")
        for index, member in enumerate(found.rules.members):
            joint = "rules.all" if found.rules.kind == "all" else "rules.any"
            if index == 0:
                rows.append(
                    (
                        "",
                        say(joint, lang) if len(found.rules.members) > 1 else "",
                        _service(found, lang),
                    )
                )
            rows += _rule(member, found.note.clause, 0, lang)
    if book.downgrades:
        rows.append(say("rules.downgrades", lang))
        for downgrade in book.downgrades:
            to = (
                say("rules.down_to", lang, name=book.class_names(downgrade.to)[rulebook_lang(lang)])
                if downgrade.to
                else say("rules.down_by", lang, steps=downgrade.by)
            )
            first, *rest = _rule(downgrade.when, downgrade.note.clause, 0, lang)
            rows += [(first[0], first[1], to), *rest]
    for item in book.score:
        rows.append(f"{say('rules.score', lang)} · {item.name[rulebook_lang(lang)]}")
        for band, points in item.bands:
            first, *rest = _rule(band, item.note.clause, 0, lang)
            rows += [(first[0], first[1], say("rules.points", lang, points=points)), *rest]
        left = say("rules.points", lang, points=item.otherwise)
        rows.append((item.note.clause, say("rules.otherwise_points", lang), left))
    table([say(f"rules.{head}", lang) for head in ("clause", "rule", "effect")], rows, tight=(0,))


def _service(found, lang: str) -> str:
    return found.service.get(rulebook_lang(lang), "")


def _rule(node: Rule | Group, clause: str, depth: int, lang: str) -> list[tuple]:
    """The lines of one rule: itself, and below a group its members."""
    clause = node.note.clause or clause
    lines = [(clause, indented(rule_words(node, lang), depth, node.note.is_ours, lang), "")]
    if isinstance(node, Group):
        for member in node.members:
            below = _rule(member, clause, depth + 1, lang)
            lines += [("" if line[0] == clause else line[0], *line[1:]) for line in below]
    return lines


def rule_words(node: Rule | Group, lang: str) -> str:
    """A rule in words; a group without words of its own is told by how many of its members must hold."""
    if isinstance(node, Group) and not node.note.zh:
        return say("rules.all" if node.kind == "all" else "rules.any", lang)
    return node.words(rulebook_lang(lang))


def trace(book: Rulebook, decision: Decision, lang: str) -> None:
    """Why the class is what it is: every rule asked, the value, held or not."""
    rows: list[Any] = []
    above = None
    for check in decision.checks:
        if (check.stage, check.code) != above:
            above = (check.stage, check.code)
            name = book.class_names(check.code)[rulebook_lang(lang)] if check.code else ""
            rows.append(f"{say(f'rules.stage_{check.stage}', lang)} {name}".strip())
        sign = MARK[check.held] + (" ●" if check.applied else "")
        value = value_of(book, check.fact, check.value, lang) if check.fact else ""
        words = indented(rule_words(check.rule, lang), check.depth, check.rule.note.is_ours, lang)
        rows.append(
            (check.clause, words, value, sign if check.points is None else f"{sign} {check.points}")
        )
    table(
        [say(f"rules.{head}", lang) for head in ("clause", "rule", "value", "held")],
        rows,
        tight=(0, 2, 3),
    )
    boards.caption(say("rules.legend", lang))


def value_of(book: Rulebook, name: str, value: Any, lang: str) -> str:
    """A fact's value in words."""
    if value is None:
        return say("rules.missing", lang)
    if isinstance(value, bool):
        return yes_no(value, lang)
    fact = book.fact_index.get(name)
    if fact is not None and fact.type == "money":
        return text.exact(float(value), "money", lang)
    return fact.value_words(value, rulebook_lang(lang)) if fact is not None else plain(value)


def facts_of(book: Rulebook, case: Example, lang: str) -> str:
    """The facts of a worked case; a later case of the same person says only in what it differs from the first."""
    first = next(other for other in book.examples if case.person == other.person)
    brief = case.person and case is not first
    names = dict.fromkeys([*case.own, *first.own]) if brief else case.facts
    told = text.listing(
        [
            f"{book.fact_index[name].words(rulebook_lang(lang))} {value_of(book, name, case.facts.get(name), lang)}"
            for name in names
            if name in book.fact_index
        ],
        lang,
    )
    return (
        say("rules.as_first", lang, case=first.case[rulebook_lang(lang)], facts=told)
        if brief
        else told
    )


def calculations(book: Rulebook, lang: str) -> None:
    """The worked cases of the arithmetic under the parameters, where the rulebook has any."""
    if not book.calculations:
        return
    boards.section_title(say("rules.calculations", lang, count=len(book.calculations)))
    rows = [
        (
            told.clause,
            told.case[rulebook_lang(lang)],
            say(f"rules.asks_{told.asks}", lang),
            text.number(float(told.gives), "rate", lang)
            if told.asks == "repayment_ratio"
            else say("rules.years", lang, years=told.gives),
        )
        for told in book.calculations
    ]
    table(
        [say(f"rules.{head}", lang) for head in ("clause", "case", "asks", "gives")],
        rows,
        right=(3,),
        tight=(0, 2),
    )


def boundary(book: Rulebook, change: Change | None, lang: str) -> str:
    """What would have to change for another class: 近12个月最大逾期天数 0 → 31 天：B 良好."""
    if change is None:
        return text.NOTHING
    unit = change.fact.unit(rulebook_lang(lang))
    now, then = (
        value_of(book, change.fact.name, value, lang) for value in (change.value, change.needed)
    )
    return say(
        "rules.boundary",
        lang,
        fact=change.fact.words(rulebook_lang(lang)),
        now=now,
        then=then + (f" {unit}" if unit else ""),
        name=book.class_names(change.code)[rulebook_lang(lang)],
    )


def sparkline(values: Sequence[float], name: str, lang: str) -> Html:
    """Months as a line, with its first and last value in words for who cannot see it."""
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
    """是 or 否; a dash where it is not known."""
    return (
        text.NOTHING
        if text.is_missing(value) or value is None
        else say("rules.yes" if value else "rules.no", lang)
    )


def parameter(value: Any, lang: str) -> str:
    """A parameter's value in words."""
    if isinstance(value, bool):
        return yes_no(value, lang)
    return (
        text.listing([str(item) for item in value], lang)
        if isinstance(value, tuple)
        else plain(value)
    )
