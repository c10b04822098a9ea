"""The first version of a customer holds from the first loan, deposit or income on, not later.

A bank that keeps no versions hands over the day of its extract, or of its last change, as the day
from which the attributes hold. Without a version a month has no row of the customer, so loans would
count whose borrower does not. The delivered attributes are the oldest that are known: they are
taken for the time before, and the load notes for how many customers.

A customer who lies in an older part keeps the version that is published.
"""

from __future__ import annotations

from data.loading.sql_files import load_sql
from data.loading.validation import RowValidator, StagedTable


def extend_first_versions(validator: RowValidator, staged: StagedTable) -> None:
    """Extend first versions back and note how many; all tables of the part are loaded.

    Parameters
    ----------
    staged
        The delivered table customer, whose counts take the note.
    """
    validator.run(load_sql("extend_versions"), "customer: first versions")
    count = validator.count("late_version", "customer")
    validator.counts_for(staged).note("version_begins_late", count)
