"""Frames drawn as Plotly figures (the only home of plotly), the theme, and exports."""
