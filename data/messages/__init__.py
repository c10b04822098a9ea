"""Sentences of errors and of the load report: one catalogue per language with the same codes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LANGUAGES = ("zh-CN", "en")
_NOTHING = {"zh-CN": "无", "en": "none"}
_COMMA = {"zh-CN": "、", "en": ", "}


def _read(language: str) -> dict[str, dict[str, str]]:
    return tomllib.loads(Path(__file__).with_name(f"{language}.toml").read_text(encoding="utf-8"))


_CATALOGUES = {language: _read(language) for language in LANGUAGES}
_ERRORS = {
    language: catalogue["load"] | catalogue["question"] | catalogue["rulebook"]
    for language, catalogue in _CATALOGUES.items()
}
REASONS = tuple(_CATALOGUES["en"]["reason"])


def error_text(code: str, facts: Mapping[str, Any], language: str) -> str:
    """Return the sentence of an error in one language.

    A fact that is a mapping by language is shown in that language; a list is joined; None and an
    empty list are 无 or none.

    Raises
    ------
    KeyError
        For an unknown code or a missing fact.
    """
    texts = {name: _in_language(value, language) for name, value in facts.items()}
    return _ERRORS[language][code].format(**texts)


def both_languages(code: str, **facts: Any) -> str:
    """Return a sentence in both languages, Chinese first, in one line."""
    return in_both(*(error_text(code, facts, language) for language in LANGUAGES))


def in_both(chinese: str, english: str) -> str:
    """Return both languages in one line, Chinese first, divided by its full stop or a slash."""
    separator = "" if chinese.endswith("。") else " / "
    return f"{chinese}{separator}{english}"


def reason(code: str) -> str:
    """Return why a row was rejected, Chinese first."""
    return in_both(*(_CATALOGUES[language]["reason"][code] for language in LANGUAGES))


def reason_in(code: str, language: str) -> str:
    """Return why a row was rejected, in one language; an unknown code as it is."""
    return _CATALOGUES[language]["reason"].get(code, code)


def note_in(code: str, language: str) -> str:
    """Return a remark of the reconciliation in one language; an unknown code as it is."""
    return _CATALOGUES[language]["note"].get(code, code)


def effect_in(code: str, language: str) -> str:
    """Return in one language which figures a remark concerns; empty where none is declared."""
    return _CATALOGUES[language]["effect"].get(code, "")


def note(code: str) -> str:
    """Return a remark of the reconciliation, Chinese first."""
    return in_both(*(_CATALOGUES[language]["note"][code] for language in LANGUAGES))


def _in_language(value: Any, language: str) -> Any:
    if isinstance(value, Mapping) and language in value:
        return value[language]
    if isinstance(value, Exception) and hasattr(value, "text"):
        return value.text(language)
    if value is None:
        return _NOTHING[language]
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        return value
    return (
        _COMMA[language].join(str(_in_language(part, language)) for part in value)
        or _NOTHING[language]
    )
