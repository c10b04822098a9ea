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
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What a source or a command may declare.
ENCODINGS = ("auto", "utf-8", *_CHINESE_ENCODINGS)


@dataclass(frozen=True)
class EncodingProbe:
    """What the bytes of one CSV file say: `kind` is ascii, utf-8, utf-8-sig, utf-16, gb18030 or both (valid in
    either)."""

    file: str
    kind: str


class _Utf8Decoder:
    """Decodes chunk by chunk and remembers the offset of the first invalid byte."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._offset = 0
        self.bad_byte: int | None = None

    def feed(self, chunk: bytes, final: bool) -> None:
        if self.bad_byte is None:
            try:
                self._decoder.decode(chunk, final)
            except UnicodeDecodeError as error:
                self.bad_byte = self._offset + max(error.start, 0)
        self._offset += len(chunk)

    def finish(self) -> None:
        """End the text: a sequence cut off at the end is invalid at the last byte."""
        if self.bad_byte is None:
            try:
                self._decoder.decode(b"", True)
            except UnicodeDecodeError:
                self.bad_byte = self._offset - 1


class _Gb18030Decoder:
    """Decodes chunk by chunk and remembers whether an invalid sequence came."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("gb18030")()
        self.is_valid = True

    def feed(self, chunk: bytes, final: bool) -> None:
        if self.is_valid:
            try:
                self._decoder.decode(chunk, final)
            except UnicodeDecodeError:
                self.is_valid = False


def probe_encoding(path: Path) -> EncodingProbe:
    """Read every byte of a file once and say which encodings it is valid in.

    Raises
    ------
    UserError
        For an empty file, UTF-16 without BOM, a file valid in no encoding (with the offset of the
        byte) and a line over 2 MB.
    """
    utf8 = _Utf8Decoder()
    gb18030 = _Gb18030Decoder()
    is_ascii = True
    valid_letters = 0
    invalid_letters = 0
    offset = 0
    line = 1
    unfinished = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            if offset == 0:
                marked = _by_first_bytes(path, chunk)
                if marked:
                    return marked
            unfinished, line = _measure(chunk, unfinished, line, path)
            if not chunk.isascii():
                is_ascii = False
                text = chunk.decode("utf-8", "replace")
                replaced = text.count("\ufffd")
                invalid_letters += replaced
                valid_letters += sum(1 for letter in text if letter > "\x7f") - replaced
            final = len(chunk) < CHUNK
            utf8.feed(chunk, final)
            if not is_ascii:
                gb18030.feed(chunk, final)
            offset += len(chunk)
    if not offset:
        raise UserError("empty_file", file=path.name)
    if is_ascii:
        return EncodingProbe(path.name, "ascii")
    utf8.finish()
    if utf8.bad_byte is None:
        return EncodingProbe(path.name, "both" if gb18030.is_valid else "utf-8")
    # Text whose multi-byte sequences are mostly valid UTF-8 is UTF-8 with a damaged byte, even when
    # it is valid GB18030.
    if not gb18030.is_valid or valid_letters > invalid_letters:
        raise UserError("encoding_bad", file=path.name, byte=utf8.bad_byte)
    return EncodingProbe(path.name, "gb18030")


def _by_first_bytes(path: Path, chunk: bytes) -> EncodingProbe | None:
    """Return the encoding that a byte order mark names; refuse UTF-16 without one."""
    for mark, kind in _BYTE_ORDER_MARKS:
        if chunk.startswith(mark):
            _decode_all(path, kind)
            return EncodingProbe(path.name, kind)
    start = chunk[:4096]
    if start.count(0) * 5 > len(start):
        raise UserError("encoding_utf16", file=path.name)
    return None


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


def decide_encodings(
    probes: Iterable[EncodingProbe], declared: str = "auto"
) -> dict[str, tuple[str, str | None]]:
    """Decide the encoding of each file over the whole delivery: file → (encoding, note code).

    A BOM decides for its file. Strict UTF-8 is tried before GB18030; a file that is valid in both
    follows the other files of its delivery. The note code is None when there is nothing to note.

    Raises
    ------
    UserError
        When UTF-8 and GB18030 files are mixed and no encoding is declared.
    """
    by_kind: dict[str, list[EncodingProbe]] = {}
    for probe in probes:
        by_kind.setdefault(probe.kind, []).append(probe)
    chinese = by_kind.get("gb18030", [])
    unicode = [*by_kind.get("utf-8", []), *by_kind.get("both", [])]
    if chinese and unicode and declared == "auto":
        raise UserError("encoding_mixed", first=unicode[0].file, second=chinese[0].file)
    is_chinese_declared = declared.lower() in _CHINESE_ENCODINGS
    utf8 = ("utf-8", "declared_encoding_wrong" if is_chinese_declared else None)
    chosen: dict[str, tuple[str, str | None]] = {
        "ascii": ("utf-8", None),
        "utf-8-sig": ("utf-8-sig", None),
        "utf-16": ("utf-16", None),
        "gb18030": ("gb18030", "encoding"),
        "utf-8": utf8,
        "both": ("gb18030", "encoding") if chinese and is_chinese_declared else utf8,
    }
    return {probe.file: chosen[kind] for kind, group in by_kind.items() for probe in group}
