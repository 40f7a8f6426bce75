"""Open a candle file: find out by its content what it is, and return its columns."""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq

from mela.errors import CandlesInvalid
from sources.files.delimited import read_delimited
from sources.files.json_rows import read_json
from sources.files.table import Table, table_of

FORMATS = "Parquet, feather, CSV or JSON, alone or in a zip or gzip"
MOST_BYTES = 4 << 30  # unpacked: no candle file is larger, an archive made to harm is
_PACKED = "; unpack it first"
# what a zip raises that is cut, packed in a way that Python does not know, locked, or damaged
_NOT_UNPACKED = (
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError),
    *(zlib.error, lzma.LZMAError, OSError, EOFError),
)
_PAGE = "a page of HTML or XML, as a failed download leaves it"
_FOREIGN = (
    (b"\x89HDF", "an HDF5 file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "a PDF"),
    (b"\xfd7zXZ\0", f"packed with xz{_PACKED}"),
    (b"BZh", f"packed with bzip2{_PACKED}"),
    (b"\x28\xb5\x2f\xfd", f"packed with zstd{_PACKED}"),
    (b"7z\xbc\xaf\x27\x1c", f"a 7z archive{_PACKED}"),
    (b"Rar!", f"a RAR archive{_PACKED}"),
    (b"ORC", "an ORC file"),
    (b"\x93NUMPY", "an array of NumPy"),
    (b"<!", _PAGE),
    (b"<html", _PAGE),
    (b"<HTML", _PAGE),
    (b"<?xml", _PAGE),
)


def open_table(path: Path) -> Table:
    """Return the columns of a file. Raises CandlesInvalid for a file that cannot be read as any."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CandlesInvalid(f"{path} cannot be read: {error.strerror}") from error
    return _table(content, path.name, str(path))


def _table(content: bytes, inner: str, file: str) -> Table:
    """Return the columns of some bytes.

    inner: the file's own name, of a zip the name of what is in it
    file: the path, as sentences name it
    """
    if not content.strip():
        raise CandlesInvalid(f"{file} is empty; expected candles as {FORMATS}")
    for magic, kind in _FOREIGN:
        if content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(magic):
            raise CandlesInvalid(f"{file} is {kind}; expected candles as {FORMATS}")
    if content.startswith(b"PK\x03\x04"):
        inner, content = _only_member(content, file)
        return _table(content, inner, f"{file} ({inner})")
    if content.startswith(b"\x1f\x8b"):
        return _table(_gunzipped(content, file), inner.removesuffix(".gz"), file)
    if content.startswith(b"PAR1"):
        return _arrow(content, file, "Parquet")
    if content.startswith((b"ARROW1", b"FEA1")):
        return _arrow(content, file, "feather")
    text = _decoded(content, file)
    if text.lstrip().startswith(("[", "{")):
        return read_json(text, file)
    return read_delimited(text, file)


def _arrow(content: bytes, file: str, kind: str) -> Table:
    source = pa.BufferReader(content)
    try:
        table = pq.read_table(source) if kind == "Parquet" else pf.read_table(source)
    except (pa.ArrowException, OSError, ValueError) as error:
        why = str(error).splitlines()[0]
        raise CandlesInvalid(f"{file} is a {kind} file that cannot be read: {why}") from error
    return arrow_table(table, file, kind)


def arrow_table(table: pa.Table, name: str, kind: str) -> Table:
    """Return the columns of an Arrow table. name, kind: what sentences call it and its format."""
    columns = [_plain(column) for column in table.columns]
    return table_of(name, kind, [str(name) for name in table.column_names], columns)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column without the coding of a dictionary, and text as the one type of text."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    is_view = pa.types.is_string_view(column.type)
    return column.cast(pa.large_string()) if is_view else column


def _only_member(content: bytes, file: str) -> tuple[str, bytes]:
    """Return name and content of the one file in a zip; others that tell nothing are passed over.

    Raises CandlesInvalid where there is none, or more than one.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [one.filename for one in archive.infolist() if not one.is_dir()]
            if "[Content_Types].xml" in names:
                raise CandlesInvalid(f"{file} is an Excel workbook; save its sheet as CSV")
            names = [name for name in names if _is_data(name)]
            if len(names) != 1:
                listed = ", ".join(names[:5]) or "none"
                raise CandlesInvalid(
                    f"expected one file in the archive {file}, but found {len(names)} ({listed}). "
                    "Unpack it and give one of them, or put them together into one file."
                )
            if archive.getinfo(names[0]).file_size > MOST_BYTES:
                raise CandlesInvalid(f"{file} unpacks to more than {MOST_BYTES >> 30} GiB")
            return PurePosixPath(names[0]).name, archive.read(names[0])
    except _NOT_UNPACKED as error:
        raise CandlesInvalid(f"{file} is a zip that cannot be unpacked: {error}") from error


def _is_data(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return not hidden and path.suffix.lower() not in (".md", ".html", ".pdf", ".checksum")


def _gunzipped(content: bytes, file: str) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as packed:
            plain = packed.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise CandlesInvalid(f"{file} is a gzip that cannot be unpacked: {error}") from error
    if len(plain) > MOST_BYTES:
        raise CandlesInvalid(f"{file} unpacks to more than {MOST_BYTES >> 30} GiB")
    return plain


def _decoded(content: bytes, file: str) -> str:
    """Return text as UTF-8, as UTF-16 (MetaTrader's) or else, letters aside, as Latin-1."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif content[1:2] == b"\0":
        encoding = "utf-16-le"
    else:
        encoding = "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if "\0" in text[:4096]:
        raise CandlesInvalid(
            f"{file} is neither text nor a format that is known; expected {FORMATS}, text in UTF-8 "
            "or UTF-16"
        )
    return text
