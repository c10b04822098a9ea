"""The contract as plain text for a bank's engineer, in Chinese or English."""

from __future__ import annotations

from data.contract.schema import Column, Contract, Table

TYPE_DESCRIPTIONS = {
    "key": {
        "zh-CN": "文本，银行自己的编号（保留前导零）",
        "en": "text, the bank's own identifier (leading zeros kept)",
    },
    "text": {"zh-CN": "文本", "en": "text"},
    "date": {"zh-CN": "日期 YYYY-MM-DD", "en": "date YYYY-MM-DD"},
    "time": {
        "zh-CN": "时间 YYYY-MM-DD HH:MM:SS（只用日历日）",
        "en": "time YYYY-MM-DD HH:MM:SS (only its day counts)",
    },
    "month": {"zh-CN": "月末日期", "en": "date of a month end"},
    "money": {
        "zh-CN": "金额，两位小数；全部为一种货币，"
        "source.toml 或 manifest.json 的 currency，未写时为 CNY",
        "en": "money, two decimals, all in one currency: `currency` of source.toml or "
        "manifest.json, CNY where none is named",
    },
    "rate": {
        "zh-CN": "年率，六位小数（0.0435 即 4.35%）",
        "en": "share of one a year, six decimals (0.0435 = 4.35 %)",
    },
    "int": {"zh-CN": "整数", "en": "whole number"},
    "number": {"zh-CN": "数", "en": "number"},
    "bool": {"zh-CN": "是否 true/false", "en": "true/false"},
    "code": {"zh-CN": "代码", "en": "code"},
    "name": {"zh-CN": "姓名（只存掩码）", "en": "name (stored masked only)"},
    "id_number": {
        "zh-CN": "证件号（只存掩码和带密钥的散列）",
        "en": "identity number (stored masked and as a keyed hash)",
    },
    "phone": {
        "zh-CN": "手机号（只存掩码和带密钥的散列）",
        "en": "phone (stored masked and as a keyed hash)",
    },
}
_PHRASES = {
    "zh-CN": {
        "folder": "每个交付是一个文件夹：每张表一个文件（<表名>.csv 或 .parquet 或 .xlsx），"
        "最后写 manifest.json。",
        "tables": "customer、loan 必交；历史二选一：instalment 与 payment（流水），"
        "或 loan_snapshot（月末快照）。",
        "required": "必交",
        "optional": "可选",
        "history": "历史",
        "key": "主键",
        "separator": "；",
        "legend": "* 必填",
        "enables": "用于：",
        "manifest": '最简单的 manifest.json 是 {"as_of": "2024-03-31"}；'
        '"from" 为首个要出数的月末'
        "（不写时从首个应还日或快照的月份起，更早的月份查不到）。",
        "codes": "代码列可写 other；未列出的代码一律归入 other 并计数。",
        "sources": "文件形状不同时写一个来源：data/sources/README.md。"
        "English: python -m data contract --language en",
    },
    "en": {
        "folder": "A delivery is a folder: one file a table (<table>.csv, .parquet or .xlsx), "
        "manifest.json written last.",
        "tables": "customer and loan are required, and one history: instalment with payment, "
        "or loan_snapshot.",
        "required": "required",
        "optional": "optional",
        "history": "history",
        "key": "key",
        "separator": "; ",
        "legend": "* a value is required",
        "enables": "gives: ",
        "manifest": 'The least manifest.json is {"as_of": "2024-03-31"}; "from" is the first month '
        "end to report (without it, that of the first due date or snapshot: earlier months cannot "
        "be asked for).",
        "codes": "A code column takes other as well; a code that is not listed becomes other and "
        "is counted.",
        "sources": "For files of another shape write a source: data/sources/README.md. "
        "中文：python -m data contract",
    },
}


def describe(contract: Contract, language: str = "zh-CN") -> str:
    """Describe every table and column of the contract; `language` is zh-CN or en."""
    phrases = _PHRASES[language]
    heads = ("folder", "tables", "manifest", "codes", "sources")
    lines = [*(phrases[head] for head in heads), ""]
    for table in contract.tables.values():
        lines += [*_table_lines(table, language), ""]
    lines.append(phrases["legend"])
    return "\n".join(lines)


def _table_lines(table: Table, language: str) -> list[str]:
    phrases = _PHRASES[language]
    status = phrases["required" if table.required else "optional"]
    if table.history:
        status = f"{phrases['history']}: {table.history}"
    width = max(len(name) for name in table.columns)
    lines = [
        f"{table.name}  [{status}]  {table.meaning[language]}",
        f"  {phrases['key']}: {', '.join(table.key)}",
    ]
    for column in table.columns.values():
        mark = "*" if column.required else " "
        lines.append(f"  {mark} {column.name.ljust(width)}  {_column_text(column, language)}")
    return lines


def _column_text(column: Column, language: str) -> str:
    phrases = [column.meaning[language], TYPE_DESCRIPTIONS[column.type][language]]
    if column.values:
        phrases.append(" | ".join(column.values))
    if column.low is not None or column.high is not None:
        low = "" if column.low is None else column.low
        high = "" if column.high is None else column.high
        phrases.append(f"[{low}, {high}]")
    if column.refers:
        phrases.append(f"-> {column.refers}")
    if column.enables:
        phrases.append(f"{_PHRASES[language]['enables']}{column.enables[language]}")
    return _PHRASES[language]["separator"].join(phrases)
