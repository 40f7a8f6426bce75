"""warehouse/candles/cache.py: whole series in mapped files, and the reads that rest on them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from mela.interval import Interval
from mela.series import SeriesKey
from mela.settings import REPOSITORY, Settings
from tests.warehouse.given import NAME, START, action, answer, at, load
from warehouse.candles.cache import CandleCache
from warehouse.candles.reader import CandleReader
from warehouse.candles.series import NAMES, Columns
from warehouse.database import transaction

SERIES = SeriesKey(NAME, Interval.H1)
END = at("2025-01-01")
NUMBERS = count()


def series(rows: int, first: float = 1.0) -> Columns:
    columns = {name: first + np.arange(rows) / 3 for name in NAMES}
    return columns | {"opened_ms": np.arange(rows, dtype=np.int64) * 3_600_000}


def same(left: Columns, right: Columns) -> bool:
    return all(left[name].tobytes() == right[name].tobytes() for name in NAMES)


def file_of(cache: CandleCache) -> Path:
    [file] = cache.folder.glob("*/*/*.arrow")
    return file


def test_a_series_comes_back_bit_for_bit_and_cannot_be_written_to(tmp_path: Path) -> None:
    cache, kept = CandleCache(tmp_path, 10**9), series(10_000)
    cache.put(SERIES, "3-1700000000000000", kept)
    found = cache.get(SERIES, "3-1700000000000000")
    assert found is not None
    assert same(found, kept)
    assert not any(column.flags.writeable or column.flags.owndata for column in found.values())
    assert cache.get(SERIES, "4-1700000000000000") is None
    assert cache.get(SeriesKey(NAME, Interval.M1), "3-1700000000000000") is None


@pytest.mark.parametrize("harm", ["cut", "empty", "zeros", "a bit", "text"])
def test_a_harmed_file_is_removed_and_counts_as_none(tmp_path: Path, harm: str) -> None:
    cache = CandleCache(tmp_path, 10**9)
    cache.put(SERIES, "1-1", series(10_000))
    assert cache.get(SERIES, "1-1") is not None
    content = bytearray(file_of(cache).read_bytes())
    middle = len(content) // 2
    if harm == "zeros":  # a page that never reached the disk
        content[middle : middle + 4096] = bytes(4096)
    elif harm == "a bit":
        content[middle] ^= 1
    kept = {"cut": content[:middle], "empty": b"", "text": b"no arrow" * 100}.get(harm, content)
    file_of(cache).write_bytes(kept)

    assert cache.get(SERIES, "1-1") is None
    assert list(tmp_path.glob("*/*/*")) == []


def test_a_newer_revision_takes_the_place_of_the_older(tmp_path: Path) -> None:
    cache = CandleCache(tmp_path, 10**9)
    for revision in (9, 10, 7):
        cache.put(SERIES, f"{revision}-5", series(10))
    assert cache.older(SERIES) == ["10-5", "7-5"]


def test_what_was_used_least_lately_goes_when_there_is_too_much(tmp_path: Path) -> None:
    names = [SeriesKey(f"binance:S{number}", Interval.H1) for number in range(4)]
    size = 48_000
    cache = CandleCache(tmp_path, int(3.5 * size))
    for name in names[:3]:
        cache.put(name, "1-1", series(1_000))
    assert cache.get(names[0], "1-1") is not None
    cache.put(names[3], "1-1", series(1_000))
    assert [cache.get(name, "1-1") is not None for name in names] == [True, False, True, True]
    assert sum(file.stat().st_size for file in tmp_path.glob("*/*/*")) <= cache.max_bytes


def test_a_series_larger_than_the_cache_is_not_kept(tmp_path: Path) -> None:
    cache = CandleCache(tmp_path, 1_000)
    cache.put(SERIES, "1-1", series(1_000))
    assert list(tmp_path.iterdir()) == []


def test_half_written_files_of_the_killed_are_swept(tmp_path: Path) -> None:
    cache = CandleCache(tmp_path, 10**9)
    cache.put(SERIES, "1-1", series(10))
    old, young = (file_of(cache).with_name(name) for name in (".old", ".young"))
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (0, 0))
    cache.put(SERIES, "2-1", series(10))
    assert (old.exists(), young.exists()) == (False, True)


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = CandleCache(tmp_path / "file", 10**9)
    cache.put(SERIES, "1-1", series(10))
    assert cache.get(SERIES, "1-1") is None


def test_a_file_that_may_only_be_read_is_used_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests may run as root, whom no mode of a file stops."""
    cache = CandleCache(tmp_path, 10**9)
    cache.put(SERIES, "1-1", series(10))

    def refuses(*_: object, **__: object) -> None:
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(os, "utime", refuses)
    found = cache.get(SERIES, "1-1")
    assert found is not None
    assert same(found, series(10))


WRITER = """
import sys
from pathlib import Path
import numpy as np
from mela.interval import Interval
from warehouse.candles.cache import CandleCache
from mela.series import SeriesKey
from warehouse.candles.series import NAMES
cache, name = CandleCache(Path(sys.argv[1]), 10**9), SeriesKey("binance:BTCUSDT", Interval.H1)
for turn in range(50):
    numbers = np.arange(20_000 + turn)
    kept = {field: numbers / 3 for field in NAMES} | {"opened_ms": numbers}
    cache.put(name, "1-1", kept)
    found = cache.get(name, "1-1")  # of this turn, or of another process's
    assert found is not None
    assert np.array_equal(found["close"], np.arange(len(found["close"])) / 3)
"""


def test_processes_that_write_and_read_at_once_see_whole_files(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    words = [sys.executable, "-W", "error", "-c", WRITER, str(tmp_path)]
    writers = [
        subprocess.Popen(words, env=environment, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for writer in writers:
        _, said = writer.communicate(timeout=60)
        assert (writer.returncode, said) == (0, "")


@pytest.fixture
def cached(warehouse: Settings, tmp_path: Path) -> Settings:
    return warehouse.model_copy(update={"cache": tmp_path})


@contextmanager
def without_candles(warehouse: Settings) -> Generator[None]:
    """Take the tables of candles away for a while: who reads them fails."""
    rename = "ALTER TABLE raw.{} RENAME TO {}"
    tables = {"candle": "hidden", "candle_1h": "hidden_1h", "candle_1d": "hidden_1d"}
    with transaction(warehouse) as connection:
        for name, hidden in tables.items():
            connection.execute(text(rename.format(name, hidden)))
    try:
        yield
    finally:
        with transaction(warehouse) as connection:
            for name, hidden in tables.items():
                connection.execute(text(rename.format(hidden, name)))


def closes(where: Settings, start: str = "2024-01-01", prices: str = "raw") -> list[float]:
    reader = CandleReader(where)
    return reader.read(NAME, "1h", at(start), END, 2, prices).candles.close.tolist()


@pytest.mark.integration
def test_a_series_read_once_is_read_from_disk_by_every_reader(cached: Settings) -> None:
    load(cached, answer([1.0, 2.0, 3.0, 4.0]))
    assert closes(cached) == [1.0, 2.0, 3.0, 4.0]
    with without_candles(cached):
        assert closes(cached) == [1.0, 2.0, 3.0, 4.0]
        other_span = CandleReader(cached).read(
            NAME, "1h", START + timedelta(hours=3), END, 2, "raw"
        )
    assert other_span.candles.close.tolist() == [2.0, 3.0, 4.0]
    assert other_span.candles.start_bar == 2


@pytest.mark.integration
def test_a_harmed_file_is_read_anew(cached: Settings) -> None:
    load(cached, answer([1.0, 2.0, 3.0, 4.0]))
    assert closes(cached) == [1.0, 2.0, 3.0, 4.0]
    [file] = (cached.cache_folder / "candles").glob("*/*/*")
    file.write_bytes(file.read_bytes()[:-100])
    assert closes(cached) == [1.0, 2.0, 3.0, 4.0]
    with without_candles(cached):
        assert closes(cached) == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.integration
def test_a_split_raises_the_revision_and_needs_no_other_file(cached: Settings) -> None:
    load(cached, answer([8.0, 8.0, 8.0], interval=Interval.D1))
    reader = CandleReader(cached)
    asked = (NAME, "1d", START, END, 0, "split_adjusted")
    assert reader.read(*asked).revision == 1
    split = action("split", at("2024-01-02").date(), 4.0)
    load(cached, answer([8.0, 8.0, 8.0], interval=Interval.D1, actions=[split]))
    with without_candles(cached):
        candles, revision = reader.read(*asked)
    assert (candles.close.tolist(), revision) == ([2.0, 8.0, 8.0], 2)


@pytest.mark.integration
def test_new_candles_are_joined_to_the_file_that_is_there(cached: Settings) -> None:
    """An hour more does not make anybody read the years before again."""
    load(cached, answer([1.0, 2.0, 3.0, 4.0]))
    closes(cached)
    with transaction(cached) as connection:  # what only a second reading would see
        connection.execute(
            text("DELETE FROM raw.candle WHERE opened_at = :start"), {"start": START}
        )
    load(cached, answer([5.0], start=START + timedelta(hours=4)))
    assert closes(cached) == [1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.integration
def test_the_file_of_another_warehouse_of_the_same_name_is_not_ours(cached: Settings) -> None:
    load(cached, answer([1.0, 2.0]))
    assert closes(cached) == [1.0, 2.0]
    with transaction(cached) as connection:
        connection.execute(
            text("TRUNCATE ops.instrument, ops.scene, raw.candle RESTART IDENTITY CASCADE")
        )
    load(cached, answer([3.0, 4.0]))
    assert closes(cached) == [3.0, 4.0]


@pytest.mark.integration
def test_without_a_cache_nothing_is_written(cached: Settings) -> None:
    bare = cached.model_copy(update={"cache_bytes": 0})
    load(bare, answer([1.0, 2.0]))
    assert closes(bare) == [1.0, 2.0]
    assert list(cached.cache_folder.iterdir()) == []


@pytest.mark.integration
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.lists(st.sampled_from([1.0, 2.0]), max_size=6)),
        max_size=6,
    )
)
def test_a_read_through_the_cache_is_the_read_without_it(
    cached: Settings, loads: list[tuple[int, list[float]]]
) -> None:
    """Whatever is loaded in whatever order, before and after what is there, or amid it."""
    name = f"binance:LAW{next(NUMBERS)}"
    bare = CandleReader(cached.model_copy(update={"cache_bytes": 0}))
    load(cached, answer([], name=name))
    for hour, said in loads:
        load(cached, answer(said, start=START + timedelta(hours=hour), name=name))
        question = (name, "1h", START + timedelta(hours=10), END, 5, "raw")
        through, direct = CandleReader(cached).read(*question), bare.read(*question)
        assert through.revision == direct.revision
        assert through.candles.close.tolist() == direct.candles.close.tolist()
        assert through.candles.opened_ms.tolist() == direct.candles.opened_ms.tolist()
        assert through.candles.start_bar == direct.candles.start_bar
