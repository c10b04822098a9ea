"""指标口径: meaning, formula and dimensions of every metric; assumptions, rulebooks, contract."""

import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import DIMENSIONS, METRICS
from data.contract.schema import TYPE_WORDS, read_contract
from data.errors import UserError
from pages.parts.sections import assumptions
from pages.parts.state import queries
from pages.parts.state.selection import current_selection
from pages.parts.widgets import chart, metric_table
from pages.parts.widgets.text import caption, section_title

selection = current_selection()
lang = selection.lang
words = "zh" if selection.lang == "zh-CN" else "en"
side = 0 if selection.lang == "zh-CN" else 1


def facts(id: str) -> dict[str, str]:
    metric = METRICS[id]
    dimensions = (["class"] if metric.supports(None) else []) + [
        s for s in DIMENSIONS if metric.supports(DIMENSIONS[s])
    ]
    return {
        "id": id,
        "meaning": metric.meaning[lang],
        "formula": metric.formula[lang],
        "unit": say(f"definition.unit_{metric.unit}", lang),
        "better": say(f"definition.better_{metric.better}", lang),
        "splits": text.listing(
            [queries.dimension_name(dimension, lang) for dimension in dimensions], lang
        ),
        "owner": say(f"owner.{metric.owner}", lang),
        "needs": text.listing(list(metric.needs), lang) or say("definition.needs_none", lang),
        "history": say("definition.months", lang, count=metric.history),
    }


live = [id for id, metric in METRICS.items() if not metric.retired]
section_title(say("definition.all", lang, count=len(live)))
columns = ("meaning", "formula", "unit", "better", "owner", "needs")
rows = [(METRICS[id].name[lang], *(facts(id)[column] for column in columns)) for id in live]
metric_table.plain(
    "definition", ("name", *columns), rows, say("page.definitions", lang), lang, height=420
)

metric_id = chart.chooser(
    selection, "metric", live, lambda id: METRICS[id].name[lang], say("definition.one", lang)
)
lines = [
    (say(f"definition.{what}", lang), words_of_line)
    for what, words_of_line in facts(metric_id).items()
]
metric_table.pairs(METRICS[metric_id].name[lang], lines, say("definition.sql_below", lang))
try:
    st.code(
        queries.sql(queries.question_for(selection, metric_id, compare=False)),
        language="sql",
        wrap_lines=True,
    )
except UserError as refusal:
    caption(refusal.text(lang))

assumptions.targets(selection)
assumptions.show(selection)

schemes = queries.schemes()
section_title(say("definition.rulebooks", lang, count=len(schemes)))
rows = [
    (
        scheme.names[words],
        say(f"definition.grain_{scheme.grain}", lang),
        book.effective_on,
        book.document[words],
        book.approved_by,
        text.listing([scheme.class_names(code)[words] for code in book.class_codes], lang),
    )
    for scheme in schemes.values()
    for book in scheme.editions
]
heads = ("scheme", "grain", "effective", "document", "approved_by", "classes")
metric_table.plain(
    "definition", heads, rows, say("definition.scheme", lang), lang, height="content"
)

contract = read_contract()
section_title(say("definition.contract", lang, count=len(contract.tables)))
table = chart.chooser(
    selection,
    "table",
    list(contract.tables),
    lambda name: f"{name} · {getattr(contract.table(name), words)}",
    say("data.table", lang),
)
rows = [
    (
        column.name,
        getattr(column, words),
        TYPE_WORDS[column.type][side],
        say("definition.yes", lang) if column.required else "",
        text.listing(list(column.values), lang),
    )
    for column in contract.table(table).columns.values()
]
metric_table.plain(
    "definition", ("column", "meaning", "type", "required", "codes"), rows, table, lang, height=420
)
