"""The catalogues of sentences: same codes and facts in both languages, every raised code."""

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
CODES = {code for section in ("load", "question", "rulebook") for code in CATALOGUES["en"][section]}
ERRORS = {
    "UserError",
    "InvalidRequest",
    "BadContract",
    "BadDeclaration",
    "OlderFormat",
    "InvalidContract",
    "QueryError",
    "TooSlow",
    "DiskFull",
    "Busy",
    "RulebookError",
    "RuleSyntaxError",
}
SOURCES = [path for room in ("analytics", "data", "pages") for path in (ROOT / room).rglob("*.py")]


def fact_names(sentence: str) -> set[str]:
    """Return the names in braces of a sentence."""
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def raised_codes(path: Path) -> list[tuple[str, set[str]]]:
    """Return each code that is raised with a literal, with the names of its facts."""
    codes: list[tuple[str, set[str]]] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(
                func=ast.Name(id=name),
                args=[ast.Constant(value=str() as code), *_],
                keywords=keywords,
            ) if name in ERRORS:
                facts = {keyword.arg for keyword in keywords if keyword.arg}
                has_unpacked_facts = len(facts) < len(keywords)
                if not has_unpacked_facts:
                    codes.append((code, facts))
    return codes


def test_both_languages_have_the_same_sections_and_codes() -> None:
    chinese, english = (CATALOGUES[language] for language in LANGUAGES)
    assert {section: set(codes) for section, codes in chinese.items()} == {
        section: set(codes) for section, codes in english.items()
    }


def test_a_chinese_sentence_names_no_fact_that_the_english_one_lacks() -> None:
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
def test_every_error_that_is_raised_has_a_sentence_and_its_facts(path: Path) -> None:
    for code, facts in raised_codes(path):
        assert code in CODES, code
        section = next(s for s in ("load", "question", "rulebook") if code in CATALOGUES["en"][s])
        assert fact_names(CATALOGUES["en"][section][code]) <= facts, code


@pytest.mark.parametrize("section", ["load", "rulebook"])
def test_every_sentence_of_an_error_is_used(section: str) -> None:
    texts = "\n".join(path.read_text("utf-8") for path in SOURCES)
    unused = {code for code in CATALOGUES["en"][section] if f'"{code}"' not in texts}
    assert not unused


def test_no_source_file_holds_an_error_sentence() -> None:
    two_languages = re.compile(r"[一-鿿][^\"\n]*。[A-Z{]")
    strays = {
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        if two_languages.search(path.read_text("utf-8"))
    }
    assert not strays


def test_none_and_lists_are_shown_in_the_language_of_the_reader() -> None:
    error = UserError("unknown_edition", id="ab", editions=["a1", "b2"])
    assert error.text("zh-CN").endswith("a1、b2。")
    assert error.text("en").endswith("a1, b2.")
    assert UserError("unknown_edition", id="ab", editions=[]).text("zh-CN").endswith("现有：无。")
