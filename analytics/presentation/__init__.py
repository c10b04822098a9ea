"""Answers drawn as charts, the theme of pages and charts, and exports of tables."""
