"""复贷: who came back within the window after settling the last loan, who was lost, and by which definition."""

from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS
from pages.parts.state import selection
from pages.parts.widgets import boards, chart, headlines, kpi_tiles, metric_table

here = selection.now()
lang = here.lang
WINDOWS = ("30", "90", "180", "365")
window = chart.picker(
    here, "window", WINDOWS, lambda days: say("reloan.days", lang, days=days), say("reloan.window", lang), "90"
)
metric = f"reloan_rate_{window}"

boards.lead([*headlines.levels(here, (metric, "lost_rate")), headlines.extreme(here, metric, "class")], lang)
boards.note(say("reloan.definition", lang), METRICS[metric].meaning[lang], METRICS[metric].formula[lang])
boards.note(METRICS["lost_rate"].name[lang] + say("words.colon", lang), METRICS["lost_rate"].meaning[lang])
kpi_tiles.show(here, (metric, "lost_rate", "repeat_rate"))
boards.trend(here, metric)
boards.heading(say("reloan.windows", lang))
metric_table.board(
    here, (*(f"reloan_rate_{days}" for days in WINDOWS), "lost_rate"),
    parts={id: ("value", "n") for id in METRICS if id.startswith("reloan_rate")} | {"lost_rate": ("value", "change")},
)  # fmt: skip
boards.months_by_class(here, metric)
boards.by_split(here, metric)
