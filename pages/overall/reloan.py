"""复贷: customers who returned after settling their last loan, those lost, by each definition."""

from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS
from pages.parts.state.selection import current_selection
from pages.parts.widgets import boards, chart, headlines, kpi_tiles, metric_table
from pages.parts.widgets.text import caption, section_title

selection = current_selection()
lang = selection.lang
WINDOWS = ("30", "90", "180", "365")
window = chart.picker(
    selection,
    "window",
    WINDOWS,
    lambda days: say("reloan.days", lang, days=days),
    say("reloan.window", lang),
    "90",
)
metric = f"reloan_rate_{window}"

boards.headline(
    [
        *headlines.levels(selection, (metric, "lost_rate")),
        headlines.extreme(selection, metric, "class"),
    ],
    lang,
)
caption(
    say("reloan.definition", lang), METRICS[metric].meaning[lang], METRICS[metric].formula[lang]
)
caption(
    METRICS["lost_rate"].name[lang] + say("words.colon", lang), METRICS["lost_rate"].meaning[lang]
)
kpi_tiles.show(selection, (metric, "lost_rate", "repeat_rate"))
boards.trend(selection, metric)
section_title(say("reloan.windows", lang))
metric_table.board(
    selection,
    (*(f"reloan_rate_{days}" for days in WINDOWS), "lost_rate"),
    parts={id: ("value", "n") for id in METRICS if id.startswith("reloan_rate")}
    | {"lost_rate": ("value", "change")},
)
boards.months_by_class(selection, metric)
boards.by_dimension(selection, metric)
