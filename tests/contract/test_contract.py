"""The contract: reading it, refusing a bad one with its place, printing it in both languages."""

from pathlib import Path

import msgspec
import pytest

from data.contract.description import describe
from data.contract.schema import BadContract, _ColumnDeclaration, read_contract
from data.declarations import BadDeclaration
from data.errors import UserError
from data.ingest.source import SOURCES, _FileDeclaration, _SourceDeclaration

GOOD = """
[table.customer]
zh = "客户"
en = "Customers"
required = true
key = ["customer_id"]
[table.customer.column]
customer_id = { type = "key", required = true, zh = "客户号", en = "Customer number" }
"""


def refuse(tmp_path: Path, text: str, match: str, error: type[UserError]) -> None:
    """Require that reading the text as a contract raises the error."""
    path = tmp_path / "contract.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(error, match=match):
        read_contract(path)


def test_the_products_contract_has_its_required_tables() -> None:
    tables = read_contract().tables
    assert [name for name, table in tables.items() if table.required] == ["customer", "loan"]
    assert {name: table.history for name, table in tables.items() if table.history} == {
        "instalment": "events",
        "payment": "events",
        "loan_snapshot": "snapshots",
    }


def test_every_table_follows_those_that_it_refers_to() -> None:
    """Dimensions, customers and loans are loaded first, the other tables in this order."""
    order = list(read_contract().tables)
    assert (
        order.index("customer")
        < order.index("loan")
        < order.index("instalment")
        < order.index("payment")
    )


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (('"key", required', '"serial", required'), "customer.customer_id: unknown type serial"),
        (('key = ["customer_id"]', 'key = ["id"]'), "customer.id: the key column is not declared"),
        (('key = ["customer_id"]', ""), "customer: has no key"),
        (
            ('type = "key"', 'type = "code"'),
            "customer.customer_id: exactly the code columns need distinct values",
        ),
        (('type = "key"', 'type = "key", refers = "loan"'), "refers to the unknown table loan"),
        (('type = "key"', 'type = "int", min = 3, max = 1'), "min is above max"),
        ((', en = "Customer number"', ""), "lacks its meaning"),
        (("customer_id = {", "Customer_ID = {"), "customer"),
        (
            ("required = true\n", "required = true\nhistory = 'both'\n"),
            "history must be events or snapshots, not both",
        ),
    ],
)
def test_a_bad_contract_is_refused_with_its_place(
    tmp_path: Path, change: tuple[str, str], match: str
) -> None:
    assert change[0] in GOOD
    refuse(tmp_path, GOOD.replace(*change, 1), match, BadContract)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            ("required = true, zh", "requird = true, zh"),
            r"contract\.toml: unknown key table\.customer\.column\.customer_id\.requird",
        ),
        (("key = [", "keys = ["), r"unknown key table\.customer\.keys"),
        (("[table.customer]", "owner = 1\n[table.customer]"), "unknown key owner"),
        (('type = "key", ', ""), r"the key table\.customer\.column\.customer_id\.type is missing"),
        (("required = true, zh", "required = 1, zh"), r"customer_id\.required is wrong"),
        (('zh = "客户"', 'zh = "客户'), r"contract\.toml is no valid TOML"),
    ],
)
def test_a_contract_with_an_unknown_key_or_a_wrong_type_is_refused_with_its_path(
    tmp_path: Path, change: tuple[str, str], match: str
) -> None:
    assert change[0] in GOOD
    refuse(tmp_path, GOOD.replace(*change, 1), match, BadDeclaration)


@pytest.mark.parametrize(("language", "word"), [("zh-CN", "必交"), ("en", "required")])
def test_the_contract_prints_every_column_in_both_languages(language: str, word: str) -> None:
    contract = read_contract()
    text = describe(contract, language)
    assert word in text
    for table in contract.tables.values():
        for column in table.columns.values():
            assert f" {column.name} " in text
            assert column.meaning[language] in text
            assert column.enables.get(language, "") in text


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_the_contract_says_what_an_optional_column_gives(language: str) -> None:
    columns = read_contract().table("loan").columns
    assert columns["closed_on"].enables[language]
    assert not any(column.enables for column in columns.values() if column.required)
    assert '"as_of": "2024-03-31"' in describe(read_contract(), language)


def test_every_key_of_a_source_is_documented() -> None:
    text = (SOURCES / "README.md").read_text(encoding="utf-8")
    for declaration in (_SourceDeclaration, _FileDeclaration, _ColumnDeclaration):
        keys = {field.encode_name for field in msgspec.structs.fields(declaration)}
        # Keys of the contract alone, or of sections that have rows of their own.
        for key in keys - {"refers", "history", "enables", "delivery", "limits", "file", "column"}:
            assert f"`{key}`" in text, key
