"""The encoding of each CSV file: every byte is read, and the whole delivery decides.

`probe_encoding` says in which encodings a file is valid, `decide_encodings` chooses one.
"""

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
    """In which encodings one CSV file is valid.

    `kind` is ascii, utf-8, utf-8-sig, utf-16, gb18030 or both (valid in UTF-8 and in GB18030).
    """

    file: str
    kind: str


class _Utf8Decoder:
    """Decodes chunk by chunk and remembers the offset of the first invalid byte.

    Counts characters beyond ASCII: `valid_letters` that decode, `invalid_letters` that do not.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._offset = 0
        self.bad_byte: int | None = None
        self.valid_letters = 0
        self.invalid_letters = 0

    def feed(self, chunk: bytes, final: bool) -> None:
        """Decode one chunk; `final` for the last one."""
        if not chunk.isascii():
            text = chunk.decode("utf-8", "replace")
            invalid = text.count("\ufffd")
            self.invalid_letters += invalid
            self.valid_letters += sum(1 for letter in text if letter > "\x7f") - invalid
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


class _LineMeter:
    """Refuses a line over `MAX_LINE_BYTES`, which `csv` would read into memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._line = 1
        self._unfinished = 0

    def feed(self, chunk: bytes) -> None:
        """Measure one chunk; UserError with the line when it is too long."""
        ends = [end for end in (chunk.find(b"\n"), chunk.find(b"\r")) if end >= 0]
        length = self._unfinished + (min(ends) if ends else len(chunk))
        if length > MAX_LINE_BYTES:
            raise UserError("line_too_long", file=self._path.name, line=self._line)
        if not ends:
            self._unfinished = length
            return
        last = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        self._unfinished = len(chunk) - last - 1
        self._line += max(chunk.count(b"\n"), chunk.count(b"\r"))


class _Gb18030Decoder:
    """Decodes chunk by chunk and remembers whether a sequence was invalid."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("gb18030")()
        self.is_valid = True

    def feed(self, chunk: bytes, final: bool) -> None:
        """Decode one chunk; `final` for the last one."""
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
    meter = _LineMeter(path)
    is_ascii = True
    is_empty = True
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            if is_empty:
                is_empty = False
                if probe := _by_first_bytes(path, chunk):
                    return probe
            meter.feed(chunk)
            is_ascii = is_ascii and chunk.isascii()
            is_last = len(chunk) < CHUNK
            utf8.feed(chunk, is_last)
            if not is_ascii:
                gb18030.feed(chunk, is_last)
    if is_empty:
        raise UserError("empty_file", file=path.name)
    if is_ascii:
        return EncodingProbe(path.name, "ascii")
    utf8.finish()
    return EncodingProbe(path.name, _kind_beyond_ascii(path, utf8, gb18030))


def _kind_beyond_ascii(path: Path, utf8: _Utf8Decoder, gb18030: _Gb18030Decoder) -> str:
    if utf8.bad_byte is None:
        return "both" if gb18030.is_valid else "utf-8"
    # Text whose multi-byte sequences are mostly valid UTF-8 is UTF-8 with a damaged byte, even when
    # it is valid GB18030.
    if not gb18030.is_valid or utf8.valid_letters > utf8.invalid_letters:
        raise UserError("encoding_bad", file=path.name, byte=utf8.bad_byte)
    return "gb18030"


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


def _decode_all(path: Path, encoding: str) -> None:
    """Raise UserError unless the whole file is valid in the encoding and no line is too long."""
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
    encodings: dict[str, tuple[str, str | None]] = {
        "ascii": ("utf-8", None),
        "utf-8-sig": ("utf-8-sig", None),
        "utf-16": ("utf-16", None),
        "gb18030": ("gb18030", "encoding"),
        "utf-8": utf8,
        "both": ("gb18030", "encoding") if chinese and is_chinese_declared else utf8,
    }
    return {probe.file: encodings[kind] for kind, group in by_kind.items() for probe in group}
