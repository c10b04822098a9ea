"""总览: one sentence, six tiles, the tier board, why the figure moved, and what needs a decision."""

from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS
from pages.parts.sections import alerts, change, change_table
from pages.parts.sections.overview import BOARD_METRICS, KPI_METRICS, SECONDARY_METRICS, SIZE_METRIC
from pages.parts.state import selection
from pages.parts.widgets import boards, chart, kpi_tiles, metric_table

here = selection.now()
lang = here.lang
boards.begin()
before = change.against(here)
change.verdicts(here, change.asked_of(here, BOARD_METRICS[0], ("class",)), before, lead=True, moved_only=True)
kpi_tiles.show(here, KPI_METRICS, SECONDARY_METRICS)
metric_table.board(here, (SIZE_METRIC, *BOARD_METRICS), parts={SIZE_METRIC: metric_table.SHARES})
metric = chart.picker(here, "why", BOARD_METRICS, lambda id: METRICS[id].name[lang], say("changes.why", lang))
change_table.board(here, change.asked_of(here, metric, ("class",)), before)
alerts.show(here)
