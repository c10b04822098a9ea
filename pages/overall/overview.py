"""总览: headline, six tiles, the tier board, the attribution, and the alerts."""

from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS
from pages.parts.sections.about import findings
from pages.parts.sections.change import controls, significance_chips
from pages.parts.sections.overview import (
    BOARD_METRICS,
    KPI_METRICS,
    SECONDARY_METRICS,
    SIZE_METRIC,
    alert_list,
    effects_board,
)
from pages.parts.state.selection import current_selection
from pages.parts.widgets import boards, chart, kpi_tiles, metric_table

selection = current_selection()
lang = selection.lang
boards.begin_page()
findings.passed_line(lang)
before = controls.comparison_month(selection)
significance_chips.show(
    selection,
    controls.question_of(selection, BOARD_METRICS[0], ("class",)),
    before,
    with_sentence=True,
    significant_only=True,
)
kpi_tiles.show(selection, KPI_METRICS, SECONDARY_METRICS)
metric_table.board(
    selection, (SIZE_METRIC, *BOARD_METRICS), parts={SIZE_METRIC: metric_table.SHARE_COLUMNS}
)
metric = chart.picker(
    selection, "why", BOARD_METRICS, lambda id: METRICS[id].name[lang], say("changes.why", lang)
)
effects_board(selection, controls.question_of(selection, metric, ("class",)), before)
alert_list(selection)
