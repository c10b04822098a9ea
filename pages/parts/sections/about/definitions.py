"""The sections of the page on definitions: metrics with their SQL, rulebooks, the contract."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import DIMENSIONS, METRICS
from data.contract.description import TYPE_DESCRIPTIONS
from data.contract.schema import read_contract
from data.errors import UserError
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import chart, tables
from pages.parts.widgets.text import caption, section_title


def definition_of(id: str, lang: str) -> dict[str, str]:
    """Return what is declared of a metric, in words, by field."""
    metric = METRICS[id]
    dimensions = ["class"] if metric.supports(None) else []
    dimensions += [name for name in DIMENSIONS if metric.supports(DIMENSIONS[name])]
    names = [queries.dimension_name(dimension, lang) for dimension in dimensions]
    return {
        "id": id,
        "meaning": metric.meaning[lang],
        "formula": metric.formula[lang],
        "unit": say(f"definition.unit_{metric.unit}", lang, currency=queries.currency_unit(lang)),
        "better": say(f"definition.better_{metric.better}", lang),
        "splits": text.listing(names, lang),
        "owner": say(f"owner.{metric.owner}", lang),
        "needs": text.listing(list(metric.needs), lang) or say("definition.needs_none", lang),
        "history": say("definition.months", lang, count=metric.history),
    }


def all_metrics(ids: Sequence[str], lang: str) -> None:
    """Draw the table of all metrics in use."""
    section_title(say("definition.all", lang, count=len(ids)))
    columns = ("meaning", "formula", "unit", "better", "owner", "needs")
    definitions = {id: definition_of(id, lang) for id in ids}
    rows = [
        (METRICS[id].name[lang], *(fields[column] for column in columns))
        for id, fields in definitions.items()
    ]
    tables.plain(
        "definition", ("name", *columns), rows, say("page.definitions", lang), lang, height=420
    )


def one_metric(selection: Selection, ids: Sequence[str]) -> None:
    """Draw a metric to choose: its definition and the SQL of the view."""
    lang = selection.lang
    id = chart.chooser(
        selection,
        "metric",
        list(ids),
        lambda id: METRICS[id].name[lang],
        say("definition.one", lang),
    )
    lines = [
        (say(f"definition.{field}", lang), words)
        for field, words in definition_of(id, lang).items()
    ]
    tables.pairs(METRICS[id].name[lang], lines, say("definition.sql_below", lang))
    try:
        sql = queries.sql(queries.question_for(selection, id, compare=False))
    except UserError as error:
        caption(error.text(lang))
        return
    st.code(sql, language="sql", wrap_lines=True)


def rulebooks(lang: str) -> None:
    """Draw every edition of every rulebook with its document and classes."""
    schemes = queries.schemes()
    section_title(say("definition.rulebooks", lang, count=len(schemes)))
    rows = [
        (
            scheme.names[lang],
            say(f"definition.grain_{scheme.grain}", lang),
            book.effective_on,
            book.document[lang],
            book.approved_by,
            text.listing([scheme.class_names(code)[lang] for code in book.class_codes], lang),
        )
        for scheme in schemes.values()
        for book in scheme.editions
    ]
    heads = ("scheme", "grain", "effective", "document", "approved_by", "classes")
    tables.plain("definition", heads, rows, say("definition.scheme", lang), lang, height="content")


def contract_table(selection: Selection) -> None:
    """Draw a table of the contract to choose: its columns, types and codes."""
    lang = selection.lang
    contract = read_contract()
    section_title(say("definition.contract", lang, count=len(contract.tables)))
    table = chart.chooser(
        selection,
        "table",
        list(contract.tables),
        lambda name: f"{name} · {contract.table(name).meaning[lang]}",
        say("data.table", lang),
    )
    rows = [
        (
            column.name,
            column.meaning[lang],
            TYPE_DESCRIPTIONS[column.type][lang],
            say("definition.yes", lang) if column.required else "",
            text.listing(list(column.values), lang),
        )
        for column in contract.table(table).columns.values()
    ]
    heads = ("column", "meaning", "type", "required", "codes")
    tables.plain("definition", heads, rows, table, lang, height=420)
