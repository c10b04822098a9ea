"""Charts as objects of Plotly, for exports and for Streamlit; only this module imports plotly."""

from __future__ import annotations

from functools import cache
from typing import Any

from analytics.presentation.marks import Figure


def to_plotly(figure: Figure) -> Any:
    """Return the chart as a checked `plotly.graph_objects.Figure`, for exports.

    Raises ValueError for a property that Plotly does not have.
    """
    import plotly.graph_objects as go

    return go.Figure(figure)


@cache
def _unchecked_figure() -> type:
    from plotly.basedatatypes import BaseFigure

    class UncheckedFigure(BaseFigure):
        """A figure that is neither validated nor given a template when it is serialised."""

        def __init__(self, figure: Figure) -> None:
            self._figure = figure

        def to_dict(self) -> Figure:
            return self._figure

    return UncheckedFigure


def to_streamlit(figure: Figure) -> Any:
    """Return the chart in a form that `st.plotly_chart` serialises unchanged.

    Streamlit would validate a dict property by property, five times as long as it took to build,
    and add a template. The template is a new object in the browser at each run, so that Plotly
    would draw the whole chart again.
    """
    return _unchecked_figure()(figure)
