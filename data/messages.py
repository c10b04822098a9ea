"""Every sentence the loader says, in Chinese and English, in one place."""

REASONS = {
    "missing": ("必填项为空", "a required value is missing"),
    "not_a_key": ("编号含控制字符", "the identifier holds control characters"),
    "not_text": ("文本含 NUL 字符", "the text holds a NUL character"),
    "not_a_date": ("不是约定格式的日期", "not a date in an agreed format"),
    "ambiguous_date": ("日期有歧义（日月不分）", "an ambiguous date (day or month first?)"),
    "time_in_date": ("日期列含时刻", "a date column holds a time of day"),
    "date_out_of_range": ("日期超出 1900–2200 年", "the date lies outside 1900–2200"),
    "not_a_time": ("不是约定格式的时间", "not a time in an agreed format"),
    "not_a_month_end": ("不是月末", "not a month end"),
    "not_a_number": ("不是约定格式的数", "not a number in the agreed format"),
    "too_many_decimals": ("小数位过多，不作四舍五入", "too many decimals; nothing is rounded silently"),
    "out_of_range": ("数值超出可存范围", "the number does not fit the column"),
    "not_an_int": ("不是整数", "not a whole number"),
    "not_a_bool": ("不是是/否", "not a yes or no"),
    "below_min": ("小于允许的最小值", "below the smallest value allowed"),
    "above_max": ("大于允许的最大值", "above the largest value allowed"),
    "excel_error": ("Excel 错误值", "an Excel error value"),
    "excel_digits": (
        "Excel 数字超过 15 位，末位已丢失；请存为文本",
        "a number of more than 15 digits loses digits in Excel; store it as text",
    ),
    "nul_byte": ("行内含 NUL 字符", "the line holds a NUL character"),
    "too_few_columns": ("列数少于表头", "fewer columns than the header"),
    "too_many_columns": ("列数多于表头", "more columns than the header"),
    "orphan": ("引用的客户或借据不存在", "refers to an unknown customer or loan"),
    "conflicting_duplicate": ("主键重复且内容不同", "the key occurs twice with different content"),
    "after_as_of": ("日期晚于数据截止日", "the date lies after the as-of date"),
    "before_disbursement": ("日期早于放款日", "the date lies before the disbursement"),
    "before_last_as_of": ("增量中含上次截止日及以前的记录", "an increment holds a record of or before the last as-of"),
    "already_delivered": ("该主键此前已交付", "the key was delivered before"),
    "trailer": ("合计行，不是数据", "a trailer line, not data"),
}

NOTES = {
    "unknown_code": ("未知代码，归入 other", "unknown codes, put under other"),
    "unknown_reference": (
        "维表中没有的编号，以编号为名补入",
        "identifiers absent from the dimension table, added under their own name",
    ),
    "dimension_made": ("未交付维表，由使用到的编号生成", "table not delivered, made from the identifiers in use"),
    "unknown_rollover": ("续期的原借据不存在，置空", "the loan rolled over is unknown, left empty"),
    "duplicate_same": ("完全相同的重复行，只留一行", "identical duplicates, kept once"),
    "blank_lines": ("空行，已忽略", "blank lines, ignored"),
    "trailer_lines": ("合计行，用作控制总数", "trailer lines, used as control totals"),
    "extra_columns": ("合同之外的列，已忽略", "columns outside the contract, ignored"),
    "cleaned_keys": ("含全角或首尾空格的行，已规范", "rows with full-width characters or outer spaces, normalised"),
    "id_checksum": ("18 位证件号校验位不符", "18-digit identity numbers with a wrong check digit"),
    "same_id_two_customers": (
        "同一证件号对应多个客户，请人工核对",
        "identity numbers held by more than one customer; check by hand",
    ),
    "encoding": ("文件编码", "encoding of the file"),
    "no_line_end": ("末行没有换行符", "the last line has no line end"),
    "declared_encoding_wrong": (
        "声明为 GB18030，实为 UTF-8，已按 UTF-8 读取",
        "declared GB18030 but is UTF-8; read as UTF-8",
    ),
    "unit_override": ("已按指定人放行量的变化", "the change of volume was let pass by name"),
}

SENTENCES = {
    "contract_syntax": ("合同文件 {file} 无法解析：{error}", "{file} cannot be parsed: {error}"),
    "contract_name": ("{place}：名称须为小写标识符", "{place}: a name must be a lower-case identifier"),
    "contract_entry": ("{place}：须写成 {{ type = … }}", "{place}: must be written as {{ type = … }}"),
    "contract_option": ("{place}：未知选项 {option}", "{place}: unknown option {option}"),
    "contract_type": ("{place}：未知类型 {value}，可用 {known}", "{place}: unknown type {value}; known are {known}"),
    "contract_values": (
        "{place}：代码列且仅代码列须有互不相同的 values",
        "{place}: exactly the code columns need distinct values",
    ),
    "contract_bounds": ("{place}：min 大于 max", "{place}: min is above max"),
    "contract_empty": ("{place}：没有列", "{place}: has no columns"),
    "contract_key": ("{place}：主键列未声明", "{place}: the key column is not declared"),
    "contract_no_key": ("{place}：没有主键", "{place}: has no key"),
    "contract_history": (
        "{place}：history 须为 events 或 snapshots，不是 {value}",
        "{place}: history must be events or snapshots, not {value}",
    ),
    "contract_refers": ("{place}：引用的表 {value} 不存在", "{place}: refers to the unknown table {value}"),
    "contract_words": ("{place}：缺少中文或英文说明", "{place}: lacks its meaning in Chinese or English"),
    "source_unknown": ("没有名为 {name} 的数据源，可用：{known}", "there is no source named {name}; known are {known}"),
    "source_bad": ("数据源 {name} 的 source.toml 有误：{error}", "source.toml of {name} is wrong: {error}"),
    "no_folder": ("没有文件夹 {path}", "there is no folder {path}"),
    "no_file": (
        "交付缺少文件 {file}（表 {table}）；不发布不完整的交付",
        "the delivery lacks file {file} (table {table}); a partial set is not published",
    ),
    "no_table": ("交付缺少必交表 {table}", "the delivery lacks the required table {table}"),
    "two_files": (
        "表 {table} 有多个文件（{files}），请用 manifest.json 说明",
        "table {table} has several files ({files}); say in manifest.json which belong",
    ),
    "not_regular": (
        "{file} 不是普通文件（链接或文件夹），已拒绝",
        "{file} is no regular file (a link or folder); refused",
    ),
    "bad_file_name": (
        "manifest.json 中的文件名 {file} 不是文件夹内的普通名称",
        "the file name {file} in manifest.json is not a plain name within the folder",
    ),
    "manifest_syntax": ("manifest.json 无法读取：{error}", "manifest.json cannot be read: {error}"),
    "manifest_source": (
        "manifest.json 的数据源是 {value}，不是 {source}",
        "manifest.json is of source {value}, not {source}",
    ),
    "manifest_table": ("manifest.json 中有未知的表 {table}", "manifest.json names the unknown table {table}"),
    "manifest_unlisted": ("文件 {file} 不在 manifest.json 中", "file {file} is not listed in manifest.json"),
    "sha_differs": (
        "{file} 的 sha256 与 manifest.json 不符：传输有误或已被改动",
        "sha256 of {file} differs from manifest.json: damaged or altered on the way",
    ),
    "rows_differ": (
        "{file} 读到 {got} 行，manifest.json 写 {want} 行",
        "{file} holds {got} rows, manifest.json says {want}",
    ),
    "total_differs": (
        "{table}.{column} 合计 {got}，控制总数 {want}",
        "{table}.{column} sums to {got}, the control total says {want}",
    ),
    "file_changed": (
        "{file} 在读取过程中发生变化：请在传输完成后再加载",
        "{file} changed while it was read: load it when the copying is done",
    ),
    "reading_failed": ("{file} 无法读取：{error}", "{file} cannot be read: {error}"),
    "empty_file": ("{file} 是空文件", "{file} is empty"),
    "header_only": (
        "{file} 只有表头；若确无数据请在 manifest.json 写 rows 0",
        "{file} holds a header only; if that is right, say rows 0 in manifest.json",
    ),
    "encoding_utf16": (
        "{file} 像是没有 BOM 的 UTF-16 编码：请以 UTF-8 交付",
        "{file} looks like UTF-16 without a BOM (encoding): hand it over in UTF-8",
    ),
    "encoding_bad": (
        "{file} 第 {byte} 字节起编码无效（既非 UTF-8 也非 GB18030）",
        "{file} has an invalid encoding from byte {byte} on (neither UTF-8 nor GB18030)",
    ),
    "encoding_mixed": (
        "同一交付中 {first} 是 UTF-8、{second} 是 GB18030，无法确定：请统一编码或用 --encoding 声明",
        "in one delivery {first} is UTF-8 and {second} is GB18030: use one encoding, or declare it with --encoding",
    ),
    "line_too_long": ("{file} 第 {line} 行附近超过 2 MB", "{file} has a line of more than 2 MB near line {line}"),
    "quote": (
        "{file} 第 {line} 行起引号不配对：{error}",
        "{file}, from line {line} on, has an unclosed or stray quote: {error}",
    ),
    "cut": ("{file} 末行（第 {line} 行）不完整：文件被截断", "{file} ends within line {line}: the file was cut"),
    "header_missing": (
        "{file} 第一行不是表头（应有列 {want}）",
        "the first line of {file} is no header (columns {want} are expected)",
    ),
    "header_duplicate": ("{file} 的列名 {column} 重复", "{file} has the column {column} twice"),
    "header_column": ("{file} 缺少必需的列 {column}", "{file} lacks the required column {column}"),
    "delimiter": (
        "{file} 的分隔符像是 {found}，声明为 {declared}",
        "{file} seems to be separated by {found}; {declared} is declared",
    ),
    "too_wide": ("{file} 有 {count} 列，最多 1000 列", "{file} has {count} columns; 1000 is the most"),
    "parquet_bad": ("{file} 不是完整的 Parquet 文件：{error}", "{file} is no whole Parquet file: {error}"),
    "parquet_drift": (
        "{file} 的列 {column} 类型为 {got}，与 {first} 的 {want} 不同",
        "column {column} of {file} is {got}, but {want} in {first}",
    ),
    "column_type": (
        "{file} 的列 {column} 类型为 {got}，合同要求 {want}",
        "column {column} of {file} is {got}; the contract wants {want}",
    ),
    "xlsx_encrypted": (
        "{file} 是加密的工作簿或旧版 .xls：请另存为未加密的 .xlsx",
        "{file} is an encrypted workbook or an old .xls: save it as .xlsx without a password",
    ),
    "xlsx_not_zip": ("{file} 不是 .xlsx（可能是改名的 CSV 或已截断）", "{file} is no .xlsx (a renamed CSV, or cut)"),
    "xlsx_no_workbook": ("{file} 是压缩包但不是工作簿", "{file} is a zip archive but no workbook"),
    "xlsx_bomb": ("{file} 解压后过大（{what}），已拒绝", "{file} is too large unpacked ({what}); refused"),
    "xlsx_xml": (
        "{file} 含有不允许的 XML 实体或结构：{error}",
        "{file} holds forbidden XML entities or structure: {error}",
    ),
    "xlsx_sheets": (
        "{file} 有多个工作表（{sheets}）：请在 source.toml 指明 sheet",
        "{file} has several sheets ({sheets}): name the sheet in source.toml",
    ),
    "xlsx_no_sheet": ("{file} 没有工作表 {sheet}", "{file} has no sheet {sheet}"),
    "xlsx_formula": (
        "{file} 的单元格 {cell} 是没有结果的公式：请带值保存",
        "cell {cell} of {file} is a formula without its value: save the workbook with values",
    ),
    "database_connect": ("无法连接数据库：{error}", "the database cannot be reached: {error}"),
    "database_password": (
        "数据库拒绝了用户名或密码（可能已过期）",
        "the database refused the user or password (expired?)",
    ),
    "database_slow": (
        "数据库超过 {seconds} 秒未完成表 {table}",
        "the database did not finish table {table} within {seconds} seconds",
    ),
    "database_lost": (
        "读取表 {table} 时连接中断，已重试 {tries} 次：{error}",
        "the connection was lost while reading table {table}, tried {tries} times: {error}",
    ),
    "database_error": ("数据库读取表 {table} 出错：{error}", "the database refused table {table}: {error}"),
    "database_counts": (
        "表 {table} 读到 {got} 行，同一快照计数 {want} 行",
        "table {table} gave {got} rows, its count in the same snapshot is {want}",
    ),
    "no_history": (
        "缺少历史：须交 instalment 与 payment，或 loan_snapshot",
        "no history: hand over instalment and payment, or loan_snapshot",
    ),
    "two_histories": (
        "流水和快照两种历史只能交一种",
        "events and snapshots are both delivered: hand over one kind of history",
    ),
    "history_changed": ("此前的历史是 {old}，本次是 {new}", "the history was {old} before and is {new} now"),
    "loan_duplicate": (
        "借据号重复：{count} 个，例如 {file} 第 {line} 行；整份交付拒绝",
        "{count} loan numbers occur twice, for instance {file}, line {line}; the delivery is refused",
    ),
    "reject_share": (
        "{table} 拒绝 {count} 行，占 {share}，超过限度 {limit}；最多的原因：{worst}",
        "{table}: {count} rows refused, {share}, over the limit {limit}; most often: {worst}",
    ),
    "orphan_share": (
        "{table} 有 {count} 行引用不存在的客户或借据，占 {share}，超过限度 {limit}",
        "{table}: {count} rows refer to unknown customers or loans, {share}, over the limit {limit}",
    ),
    "conflict_share": (
        "{table} 有 {count} 行主键重复且内容不同，占 {share}，超过限度 {limit}",
        "{table}: {count} rows repeat a key with different content, {share}, over the limit {limit}",
    ),
    "reconcile": (
        "{table}：读入 {read} ≠ 载入 {loaded} + 拒绝 {rejected} + 跳过 {skipped}",
        "{table}: read {read} is not loaded {loaded} + rejected {rejected} + skipped {skipped}",
    ),
    "volume": (
        "{table} {what} 由 {old} 变为 {new}，超出 ±{limit}：已暂停，核对后用 --accept-volume 姓名 放行",
        "{table}: {what} went from {old} to {new}, beyond ±{limit}: held; check it and let it pass with --accept-volume NAME",
    ),
    "as_of_missing": (
        "不知道数据截止日：请在 manifest.json 写 as_of 或用 --as-of",
        "the as-of date is unknown: put as_of into manifest.json or use --as-of",
    ),
    "as_of_bad": ("数据截止日 {value} 不是月末日期", "the as-of date {value} is not a month end"),
    "as_of_backwards": (
        "本次截止日 {new} 不晚于已发布的 {old}：旧数据不再加载",
        "the as-of {new} is not later than the published {old}: an older delivery is not loaded",
    ),
    "as_of_gap": (
        "增量的首月 {new} 与已发布的截止日 {old} 不衔接",
        "the increment starts with {new}, which does not follow the published {old}",
    ),
    "from_bad": (
        "首月 {value} 无效或晚于截止日 {as_of}",
        "the first month {value} is wrong or later than the as-of {as_of}",
    ),
    "kind_bad": ("交付种类 {value} 须为 full 或 increment", "the kind {value} must be full or increment"),
    "no_base": ("增量需要先有一次全量加载", "an increment needs a full load before it"),
    "same_delivery": (
        "同一份交付已加载（版本 {edition}），未重复加载",
        "this delivery was loaded before (edition {edition}); nothing was loaded twice",
    ),
    "too_many_members": ("{table} 的编号超过 {most} 个", "{table} has more than {most} members"),
    "key_file": (
        "密钥文件 {file} 无效（须 32 字节且仅本人可读）",
        "the key file {file} is wrong (32 bytes, readable by its owner only)",
    ),
    "branch_circle": ("机构树在 {branch} 处成环", "the tree of branches goes round in a circle at {branch}"),
    "limit_unknown": ("没有名为 {name} 的限度，可用：{known}", "there is no limit named {name}; known are {known}"),
    "mapping": ("数据源的 {file} 有误：{error}", "{file} of the source is wrong: {error}"),
}


def say(code: str, **facts: object) -> str:
    """The sentence `code` with its facts, Chinese first, in one line."""
    zh, en = SENTENCES[code]
    return f"{zh.format(**facts)} / {en.format(**facts)}"


def reason(code: str) -> str:
    """A row's reason in words, Chinese first."""
    return " / ".join(REASONS[code])


def note(code: str) -> str:
    """A note of the reconciliation in words, Chinese first."""
    return " / ".join(NOTES[code])
