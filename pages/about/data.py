"""数据: the edition served, the invariants, what the loads found, row counts, rejected rows."""

from pages.parts.sections.about import data, findings
from pages.parts.state import rulebook_queries
from pages.parts.state.selection import current_selection

selection = current_selection()
lang = selection.lang
data.freshness(lang)
data.invariants(selection)
findings.board(lang)
rulebook_queries.warn_of_invalid_rulebooks(lang)
data.editions(lang)
data.row_counts(lang)
data.rejected_rows(lang)
data.empty_tables(lang)
