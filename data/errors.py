"""Errors that a user reads: a code and its facts. The sentences stand in data/messages, one catalogue per language."""

from __future__ import annotations

from typing import Any

from data.messages import both_languages, error_text


class UserError(Exception):
    """What was refused, why, and what to do. Base of every refusal of the product.

    Parameters
    ----------
    code : a key of the sections `load` or `question` of the catalogues in data/messages
    facts : what the sentence names; a mapping of languages is given in the reader's language, a list is joined

    `str()` gives Chinese and English in one line, `text(language)` one of them.
    """

    def __init__(self, code: str, /, **facts: Any) -> None:
        self.code = code
        self.facts = facts
        super().__init__(both_languages(code, **facts))

    def text(self, language: str) -> str:
        """Return the sentence in one language, `zh-CN` or `en`."""
        return error_text(self.code, self.facts, language)


class InvalidRequest(UserError):
    """What was asked for does not exist or cannot be done; nothing was read. The command line exits with 2, not 1."""
