"""指标口径: meaning, formula and dimensions of every metric; assumptions, rulebooks, contract."""

from analytics.metrics.definitions import METRICS
from pages.parts.sections.about import assumptions, definitions
from pages.parts.state.selection import current_selection

selection = current_selection()
lang = selection.lang
metrics = [id for id, metric in METRICS.items() if not metric.retired]
definitions.all_metrics(metrics, lang)
definitions.one_metric(selection, metrics)
assumptions.targets(selection)
assumptions.show(selection)
definitions.rulebooks(lang)
definitions.contract_table(selection)
