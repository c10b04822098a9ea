"""The catalogues of sentences: the same codes and facts in both languages, and every code that is raised."""

import ast
import re
import string
import tomllib
from pathlib import Path

import pytest

from data.errors import UserError
from data.messages import LANGUAGES

ROOT = Path(__file__).parents[2]
CATALOGUES = {
    language: tomllib.loads((ROOT / "data" / "messages" / f"{language}.toml").read_text("utf-8"))
    for language in LANGUAGES
}
CODES = {code for section in ("load", "question") for code in CATALOGUES["en"][section]}
SOURCES = [path for room in ("analytics", "data", "pages") for path in (ROOT / room).rglob("*.py")]


def fact_names(sentence: str) -> set[str]:
    """The names in braces of a sentence."""
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def raised_codes(path: Path) -> list[tuple[str, set[str]]]:
    """The codes given as text to an error class of the product, with the names of their facts."""
    errors = {
        "UserError",
        "InvalidRequest",
        "InvalidContract",
        "QueryError",
        "TooSlow",
        "DiskFull",
        "Busy",
    }
    calls = [
        node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)
    ]
    return [
        (node.args[0].value, {keyword.arg for keyword in node.keywords if keyword.arg})
        for node in calls
        if isinstance(node.func, ast.Name)
        and node.func.id in errors
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and not any(keyword.arg is None for keyword in node.keywords)
    ]


def test_both_languages_have_the_same_sections_and_codes():
    chinese, english = (CATALOGUES[language] for language in LANGUAGES)
    assert {section: set(codes) for section, codes in chinese.items()} == {
        section: set(codes) for section, codes in english.items()
    }


def test_a_chinese_sentence_names_no_fact_that_the_english_one_lacks():
    chinese, english = (CATALOGUES[language] for language in LANGUAGES)
    strays = {
        code
        for section, codes in chinese.items()
        for code, sentence in codes.items()
        if not fact_names(sentence) <= fact_names(english[section][code])
    }
    assert not strays


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if raised_codes(p)], ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_every_error_that_is_raised_has_a_sentence_and_its_facts(path):
    for code, facts in raised_codes(path):
        assert code in CODES, code
        section = "load" if code in CATALOGUES["en"]["load"] else "question"
        assert fact_names(CATALOGUES["en"][section][code]) <= facts, code


def test_no_source_file_holds_an_error_sentence():
    two_languages = re.compile(r"[一-鿿][^\"\n]*。[A-Z{]")
    strays = {
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        if two_languages.search(path.read_text("utf-8"))
    }
    assert not strays


def test_nothing_and_lists_are_written_in_the_language_of_the_reader():
    error = UserError("unknown_edition", id="ab", editions=["a1", "b2"])
    assert error.text("zh-CN").endswith("a1、b2。")
    assert error.text("en").endswith("a1, b2.")
    assert UserError("unknown_edition", id="ab", editions=[]).text("zh-CN").endswith("现有：无。")
