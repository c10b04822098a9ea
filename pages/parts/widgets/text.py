"""Text for widgets that read Markdown."""

from __future__ import annotations


def escape_markdown(words: str) -> str:
    """Words for a label that Streamlit reads as Markdown: whatever could be markup is escaped."""
    return "".join(f"\\{mark}" if mark in "\\`*_{}[]()#+-.!|<>:$~" else mark for mark in words)
