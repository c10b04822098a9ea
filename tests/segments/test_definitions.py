"""segments.toml: a wrong entry is refused with its path."""

from pathlib import Path

import pytest

from analytics.segments import definitions
from data.declarations import BadDeclaration

TEXT = definitions.DECLARATIONS.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('unit = "rate"', 'unti = "rate"', "unknown key fact.months_with_loan.unti"),
        ('unit = "rate"', 'unit = "ratio"', "fact.months_with_loan.unit is wrong"),
        ('group = "lending"', "", "the key fact.months_with_loan.group is missing"),
        ('group = "saving"', 'group = "savings"', "there is no group savings"),
        ('split = "family"', 'split = "famly"', "split = 'famly' is no dimension"),
        ('split = "family"', "", "a category, and only a category, needs words or split"),
        (', en = "always borrowing"', "", "high needs a text in zh-CN and en"),
        ("[group]", "[groups]", "unknown key groups"),
    ],
)
def test_a_wrong_declaration_is_refused_with_its_path(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "segments.toml"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BadDeclaration) as refusal:
        definitions.read(path)
    assert message in refusal.value.text("en")


def test_codes_of_a_category_have_names_from_its_words_or_its_dimension() -> None:
    assert definitions.FEATURES["fee_kind"].code_name("card", "en") == "Card"
    assert definitions.FEATURES["channel"].code_name("mobile", "en") == "Mobile bank"
    assert definitions.FEATURES["channel"].code_name("unheard of", "en") == "unheard of"
