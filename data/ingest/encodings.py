"""The encoding of each CSV file, decided over the whole delivery from every byte, strictly: a wrong guess is
never loaded."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from data.errors import UserError

CHUNK = 1 << 20
MAX_LINE_BYTES = 2_000_000
_CHINESE_ENCODINGS = ("gb18030", "gbk", "gb2312", "cp936")
# What a source or a command may declare.
ENCODINGS = ("auto", "utf-8", *_CHINESE_ENCODINGS)


@dataclass(frozen=True)
class EncodingProbe:
    """What the bytes of one CSV file say: `kind` is ascii, utf-8, utf-8-sig, utf-16, gb18030 or both (valid in
    either)."""

    file: str
    kind: str


def probe_encoding(path: Path) -> EncodingProbe:
    """Look at every byte once. UserError: empty, UTF-16 without BOM, no valid encoding (with the byte), a line over
    2 MB."""
    utf8 = codecs.getincrementaldecoder("utf-8")()
    gb = codecs.getincrementaldecoder("gb18030")()
    utf8_bad, gb_bad, good, bad, plain = None, False, 0, 0, True
    offset, line, carried = 0, 1, 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            if offset == 0:
                for mark, kind in (
                    (codecs.BOM_UTF8, "utf-8-sig"),
                    (codecs.BOM_UTF16_LE, "utf-16"),
                    (codecs.BOM_UTF16_BE, "utf-16"),
                ):
                    if chunk.startswith(mark):
                        _decode_all(path, kind)
                        return EncodingProbe(path.name, kind)
                if chunk[:4096].count(0) * 5 > len(chunk[:4096]):
                    raise UserError("encoding_utf16", file=path.name)
            carried, line = _measure(chunk, carried, line, path)
            if not chunk.isascii():
                plain = False
                text = chunk.decode("utf-8", "replace")
                wrong = text.count("�")
                bad += wrong
                good += sum(1 for letter in text if letter > "\x7f") - wrong
            final = len(chunk) < CHUNK
            if utf8_bad is None:
                try:
                    utf8.decode(chunk, final)
                except UnicodeDecodeError as error:
                    utf8_bad = offset + max(error.start, 0)
            if not gb_bad and not plain:
                try:
                    gb.decode(chunk, final)
                except UnicodeDecodeError:
                    gb_bad = True
            offset += len(chunk)
    if not offset:
        raise UserError("empty_file", file=path.name)
    if plain:
        return EncodingProbe(path.name, "ascii")
    if utf8_bad is None:
        try:
            utf8.decode(b"", True)
        except UnicodeDecodeError:
            utf8_bad = offset - 1
    if utf8_bad is None:
        return EncodingProbe(path.name, "utf-8" if gb_bad else "both")
    # Text whose multi-byte sequences are mostly valid UTF-8 is UTF-8 with a damaged byte, whatever GB18030 makes of it.
    if gb_bad or good > bad:
        raise UserError("encoding_bad", file=path.name, byte=utf8_bad)
    return EncodingProbe(path.name, "gb18030")


def _measure(chunk: bytes, carried: int, line: int, path: Path) -> tuple[int, int]:
    """Length of the unfinished line and the line number after this chunk."""
    first = min((at for at in (chunk.find(b"\n"), chunk.find(b"\r")) if at >= 0), default=-1)
    length = carried + (first if first >= 0 else len(chunk))
    if length > MAX_LINE_BYTES:
        raise UserError("line_too_long", file=path.name, line=line)
    if first < 0:
        return length, line
    last = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
    return len(chunk) - last - 1, line + max(chunk.count(b"\n"), chunk.count(b"\r"))


def _decode_all(path: Path, encoding: str) -> None:
    try:
        with path.open(encoding=encoding, newline="") as text:
            carried = 0
            while part := text.read(CHUNK):
                carried = 0 if "\n" in part or "\r" in part else carried + len(part)
                if carried > MAX_LINE_BYTES:
                    raise UserError("line_too_long", file=path.name, line="?")
    except UnicodeDecodeError as error:
        raise UserError("encoding_bad", file=path.name, byte=error.start) from None


def decide_encodings(sights: Iterable[EncodingProbe], declared: str = "auto") -> dict[str, tuple[str, str | None]]:
    """The encoding of each file, decided over the whole delivery: file → (encoding, note code or None).

    A BOM decides for its file. Strict UTF-8 is tried before GB18030; a file valid in both follows the others of
    its delivery.
    UserError where UTF-8 and GB18030 stand side by side and nothing is declared.
    """
    marked = {seen.file: seen.kind for seen in sights if seen.kind in ("utf-8-sig", "utf-16", "ascii")}
    free = [seen for seen in sights if seen.file not in marked]
    chinese = [seen for seen in free if seen.kind == "gb18030"]
    unicode = [seen for seen in free if seen.kind == "utf-8"]
    both = [seen for seen in free if seen.kind == "both"]
    asked_gb = declared.lower() in _CHINESE_ENCODINGS
    if chinese and (unicode or both) and declared == "auto":
        raise UserError("encoding_mixed", first=(unicode or both)[0].file, second=chinese[0].file)
    result: dict[str, tuple[str, str | None]] = {
        name: ("utf-8" if kind == "ascii" else kind, None) for name, kind in marked.items()
    }
    for seen in chinese:
        result[seen.file] = ("gb18030", "encoding")
    for seen in unicode:
        result[seen.file] = ("utf-8", "declared_encoding_wrong" if asked_gb else None)
    for seen in both:
        result[seen.file] = (
            ("gb18030", "encoding")
            if chinese and asked_gb
            else ("utf-8", "declared_encoding_wrong" if asked_gb else None)
        )
    return result
