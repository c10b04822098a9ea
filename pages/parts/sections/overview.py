"""What the overview shows: its KPI tiles and the metrics of its board."""

from __future__ import annotations

KPI_METRICS = (
    "customers",
    "overdue_rate_30",
    "npl_ratio",
    "reloan_rate_90",
    "contribution_net",
    "net_upgraded",
)


SECONDARY_METRICS = {
    "customers": "balance",
    "overdue_rate_30": "overdue_rate",
    "npl_ratio": "recognition_deviation",
    "reloan_rate_90": "lost_rate",
    "contribution_net": "contribution_gross",
    "net_upgraded": "new_customers",
}


SIZE_METRIC = "customers"


BOARD_METRICS = ("overdue_rate_30", "reloan_rate_90", "contribution_net")
