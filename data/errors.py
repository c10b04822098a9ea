"""Errors that a user reads: a code and its facts. data/messages has the sentences."""

from __future__ import annotations

from typing import Any

from data.messages import both_languages, error_text


class UserError(Exception):
    """Base of every error of the product that a user reads.

    `str()` gives Chinese and English in one line, `text(language)` one of them.

    Parameters
    ----------
    code
        A key of the sections `load` or `question` of the catalogues in data/messages.
    facts
        Values of the names in the sentence. A mapping by language is shown in the reader's
        language, a list is joined.
    """

    def __init__(self, code: str, /, **facts: Any) -> None:
        self.code = code
        self.facts = facts
        super().__init__(both_languages(code, **facts))

    def text(self, language: str) -> str:
        """Return the sentence in one language, `zh-CN` or `en`."""
        return error_text(self.code, self.facts, language)


class InvalidRequest(UserError):
    """The request names something that does not exist or is not possible: exit code 2, not 1."""
