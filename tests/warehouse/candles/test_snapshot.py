"""warehouse/candles/snapshot.py: candles as Parquet files, and the runs that read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer
from typer.testing import CliRunner

from backtests.strategies import CATALOGUE
from cli.main import app
from mela.candles import Candles
from mela.errors import CandlesMissing
from mela.grid import plan_runs
from mela.interval import Interval
from mela.messages import RunChunk
from mela.scene import parse_scene
from mela.settings import Settings
from streaming.run import Desk
from tests.streaming.answered import documents_of
from tests.warehouse.given import NAME, START, action, answer, at, load, rows
from warehouse.candles import snapshot
from warehouse.candles.manifest import FILE, Folder, SnapshotInvalid
from warehouse.candles.reader import CandleReader, CandlesRead
from warehouse.candles.snapshot import write_snapshot

pytestmark = pytest.mark.integration
APPLE, DAYS = "yahoo:AAPL", Interval.D1
END = at("2025-01-01")
FIELDS = ("opened_ms", "open", "high", "low", "close", "volume")


@pytest.fixture
def filled(warehouse: Settings, tmp_path: Path) -> Settings:
    """A warehouse of hours, minutes and, with a split and a dividend, days."""
    load(warehouse, answer([1.0, 2.0, 3.0, 4.0]))
    load(warehouse, answer(np.arange(1.0, 301.0), interval=Interval.M1))
    events = [action("split", date(2024, 1, 3), 4.0), action("dividend", date(2024, 1, 4), 5.0)]
    load(warehouse, answer([80.0, 80.0, 20.0, 16.0], name=APPLE, interval=DAYS, actions=events))
    return warehouse.model_copy(update={"cache": tmp_path / "cache"})


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "snapshot")


def from_snapshot(settings: Settings, address: str, **changes: object) -> CandleReader:
    """Return a reader in a process that has no warehouse at all."""
    nowhere = settings.postgres.model_copy(update={"port": 1})
    told = {"candles": address, "postgres": nowhere, **changes}
    return CandleReader(settings.model_copy(update=told))


def hours(reader: CandleReader) -> CandlesRead:
    return reader.read(NAME, "1h", START, END, 2, "raw")


def same(left: Candles, right: Candles) -> bool:
    columns = all(getattr(left, n).tobytes() == getattr(right, n).tobytes() for n in FIELDS)
    rest = ("start_bar", "calendar", "tick", "lot", "interval")
    return columns and all(getattr(left, n) == getattr(right, n) for n in rest)


def test_a_snapshot_gives_what_the_warehouse_gives(filled: Settings, folder: str) -> None:
    report = write_snapshot(filled, folder)
    assert (report.series, report.candles, report.unchanged) == (3, 308, 0)
    direct, read = CandleReader(filled), from_snapshot(filled, folder)
    for prices in ("raw", "split_adjusted", "total_return"):
        for end in ("2024-01-03", "2024-01-04", "2024-01-09"):
            asked = (APPLE, "1d", at("2024-01-02"), at(end), 64, prices)
            left, right = direct.read(*asked), read.read(*asked)
            assert same(left.candles, right.candles)
            assert left.revision == right.revision == 1


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    start=st.integers(-5, 305),
    minutes=st.integers(1, 310),
    warmup=st.integers(0, 310),
    is_cached=st.booleans(),
)
def test_any_part_is_read_as_from_the_warehouse(
    filled: Settings,
    tmp_path_factory: pytest.TempPathFactory,
    start: int,
    minutes: int,
    warmup: int,
    is_cached: bool,
) -> None:
    """Of files of many row groups too, of which only those that matter are read."""
    folder = str(filled.cache_folder.parent / "groups")
    before, snapshot.ROW_GROUP = snapshot.ROW_GROUP, 32
    try:
        write_snapshot(filled, folder)
    finally:
        snapshot.ROW_GROUP = before
    first = START + timedelta(minutes=start)
    asked = (NAME, "1m", first, first + timedelta(minutes=minutes), warmup, "raw")
    read = from_snapshot(filled, folder, cache_bytes=10**9 if is_cached else 0).read(*asked)
    assert same(CandleReader(filled).read(*asked).candles, read.candles)


def test_a_snapshot_stays_as_it_was_written(filled: Settings, folder: str) -> None:
    write_snapshot(filled, folder)
    load(filled, answer([9.0, 2.0, 3.0, 4.0]))
    assert hours(from_snapshot(filled, folder)).revision == 1
    assert hours(CandleReader(filled)).revision == 2

    assert write_snapshot(filled, folder).unchanged == 2
    candles, revision = hours(from_snapshot(filled, folder))
    assert (candles.close[0], revision) == (9.0, 2)


def test_a_reader_that_lives_on_sees_the_next_snapshot(filled: Settings, folder: str) -> None:
    write_snapshot(filled, folder)
    reader = from_snapshot(filled, folder)
    reader._origin.fresh_s = 0.0  # type: ignore[attr-defined]
    assert hours(reader).candles.close[0] == 1.0
    load(filled, answer([9.0]))
    write_snapshot(filled, folder)
    assert hours(reader).candles.close[0] == 9.0


def test_twice_is_once_and_a_lost_file_is_written_again(filled: Settings, folder: str) -> None:
    write_snapshot(filled, folder)
    files = {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*.parquet")}
    again = write_snapshot(filled, folder)
    assert (again.unchanged, again.bytes) == (3, 0)
    assert {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*.parquet")} == files

    next(iter(files)).unlink()
    assert write_snapshot(filled, folder).unchanged == 2
    assert set(Path(folder).rglob("*.parquet")) == set(files)


def test_series_that_are_not_asked_for_stay(filled: Settings, folder: str) -> None:
    write_snapshot(filled, folder, instruments=[NAME], intervals=["1h"])
    report = write_snapshot(filled, folder, instruments=[APPLE])
    assert (report.series, report.kept) == (1, 1)
    assert hours(from_snapshot(filled, folder)).candles.close.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_each_candle_stands_once_for_tools_that_know_no_manifest(
    filled: Settings, folder: str
) -> None:
    """A file of before, or of a write that was killed, would count its candles again."""
    for close in (1.0, 2.0, 3.0):
        load(filled, answer([close]))
        write_snapshot(filled, folder, intervals=["1h"])
    [file] = Path(folder).glob("*.parquet")
    foreign = file.with_name("binance_BTCUSDT_1h_mine.parquet")
    file.with_name(file.name.replace("_3-", "_2-")).write_bytes(b"killed")
    load(filled, answer([4.0]))
    foreign.write_bytes(b"not ours to remove")
    write_snapshot(filled, folder, intervals=["1h"])
    assert foreign.exists()
    foreign.unlink()
    assert pd.read_parquet(folder)["close"].tolist() == [4.0, 2.0, 3.0, 4.0]


def test_who_holds_the_manifest_of_before_reads_the_newest(filled: Settings, folder: str) -> None:
    write_snapshot(filled, folder)
    reader = from_snapshot(filled, folder, cache_bytes=0)
    assert hours(reader).revision == 1
    load(filled, answer([9.0]))
    write_snapshot(filled, folder)
    again = reader.read(NAME, "1h", START, at("2024-01-02"), 2, "raw")
    assert (again.revision, again.candles.close.tolist()) == (2, [9.0, 2.0, 3.0, 4.0])


def test_a_snapshot_in_folders_of_before_is_read_and_moves(filled: Settings, folder: str) -> None:
    write_snapshot(filled, folder, intervals=["1h"])
    [file] = Path(folder).glob("*.parquet")
    old = "interval=1h/instrument=binance%3ABTCUSDT/1-1.parquet"
    (Path(folder) / old).parent.mkdir(parents=True)
    file.rename(Path(folder) / old)
    manifest = Path(folder) / FILE
    manifest.write_text(manifest.read_text().replace(file.name, old))
    assert hours(from_snapshot(filled, folder)).candles.close.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert write_snapshot(filled, folder, intervals=["1h"]).unchanged == 0
    assert [path.name for path in Path(folder).rglob("*.parquet")] == [file.name]


def test_a_write_that_dies_before_its_manifest_changes_nothing_for_readers(
    filled: Settings, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_snapshot(filled, folder)
    load(filled, answer([9.0]))
    whole = Folder.put

    def dies(self: Folder, name: str, content: bytes) -> None:
        if name == FILE:
            raise KeyboardInterrupt
        whole(self, name, content)

    monkeypatch.setattr(Folder, "put", dies)
    with pytest.raises(KeyboardInterrupt):
        write_snapshot(filled, folder)
    assert hours(from_snapshot(filled, folder)).candles.close[0] == 1.0


@pytest.mark.parametrize(
    "tool", [pq.read_table, lambda folder: ds.dataset(folder).to_table()], ids=["read", "dataset"]
)
def test_other_tools_read_the_folder_as_one_table(
    filled: Settings, folder: str, tool: Callable[[str], pa.Table]
) -> None:
    write_snapshot(filled, folder)
    table = tool(folder)
    assert table.column_names == [
        *("instrument", "interval", "opened_at", "open", "high", "low", "close", "volume"),
        "unadjusted",
    ]
    one = table.filter((ds.field("instrument") == APPLE) & (ds.field("interval") == "1d"))
    assert one["close"].to_pylist() == [80.0, 80.0, 20.0, 16.0]
    assert one["unadjusted"].to_pylist() == [True] * 4
    assert one["opened_at"].to_pylist()[0] == START


def test_a_file_that_could_not_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    with pytest.raises(OSError, match="whole"):
        Folder(str(tmp_path)).put("whole", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_what_a_snapshot_lacks_is_said_with_the_way_out(filled: Settings, folder: str) -> None:
    with pytest.raises(SnapshotInvalid, match=r"found no _manifest\.json.*mela snapshot --to"):
        hours(from_snapshot(filled, folder))
    write_snapshot(filled, folder, intervals=["1d"])
    with pytest.raises(CandlesMissing, match=r"no 1h candles of binance:BTCUSDT\. Add them: mela"):
        hours(from_snapshot(filled, folder))
    with pytest.raises(CandlesMissing, match="no candles of binance:NOBODY"):
        write_snapshot(filled, folder, instruments=["binance:NOBODY"])


@pytest.mark.parametrize("harm", ["cut", "gone", "a bit", "manifest", "newer"])
def test_a_harmed_snapshot_is_not_read(filled: Settings, folder: str, harm: str) -> None:
    write_snapshot(filled, folder, intervals=["1m"])
    [file] = Path(folder).rglob("*.parquet")
    manifest = Path(folder) / FILE
    content = bytearray(file.read_bytes())
    if harm == "cut":
        file.write_bytes(content[:-50])
    elif harm == "gone":
        file.unlink()
    elif harm == "a bit":
        column = pq.read_metadata(file).row_group(0).column(6)
        content[column.data_page_offset + column.total_compressed_size // 2] ^= 1
        file.write_bytes(content)
    elif harm == "manifest":
        manifest.write_text(manifest.read_text()[:-20])
    else:
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": 2}))
    with pytest.raises(SnapshotInvalid, match="mela snapshot --to"):
        from_snapshot(filled, folder).read(NAME, "1m", START, END, 0, "raw")


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """An S3 that speaks HTTP, on loopback."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    files = Folder("s3://candles").files
    if not files.exists("candles"):
        files.mkdir("candles")
    return "s3://candles/today"


def test_a_snapshot_lies_on_s3_too(filled: Settings, bucket: str) -> None:
    write_snapshot(filled, bucket)
    asked = (APPLE, "1d", at("2024-01-02"), END, 64, "total_return")
    for size in (0, 10**9):  # a part of the object, or all of it through the cache
        read = from_snapshot(filled, bucket, cache_bytes=size).read(*asked)
        assert same(read.candles, CandleReader(filled).read(*asked).candles)

    load(filled, answer([9.0, 2.0, 3.0, 4.0]))
    assert write_snapshot(filled, bucket).unchanged == 2
    assert hours(from_snapshot(filled, bucket)).candles.close[0] == 9.0


def test_runs_read_the_snapshot_and_carry_its_revision(filled: Settings, folder: str) -> None:
    """The job's own way from a chunk to results; the warehouse has newer candles meanwhile."""
    load(filled, answer(np.linspace(1.0, 2.0, 300), start=START))
    write_snapshot(filled, folder, intervals=["1h"])
    load(filled, answer([7.0], start=START))
    scene = {
        "instruments": [NAME],
        "interval": "1h",
        "start": "2024-01-04T00:00:00Z",
        "end": "2024-01-10T00:00:00Z",
        "strategy": {"name": "sma_cross", "params": {"fast": 2, "slow": 5}},
    }
    runs = list(plan_runs(parse_scene(scene), CATALOGUE, max_runs=10).expand())
    chunk = RunChunk(scene_id="00000000-0000-0000-0000-000000000000", chunk=0, runs=runs)
    answers = [
        documents_of(Desk(where, CATALOGUE).answers(chunk))[0]
        for where in (filled.model_copy(update={"candles": folder}), filled)
    ]
    assert [one["candles_revision"] for one in answers] == [2, 3]
    assert [one["status"] for one in answers] == ["succeeded"] * 2


def test_the_command_says_what_it_wrote(
    filled: Settings, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MELA_HOME", str(filled.home))
    monkeypatch.setenv("MELA_POSTGRES__DATABASE", filled.postgres.database)
    asked = ["snapshot", "--instrument", NAME, "--interval", "1h", "--interval", "1m"]
    done = CliRunner().invoke(app, [*asked, "--to", folder])
    assert (done.exit_code, done.exception) == (0, None)
    assert "304 candles of 2 series (0 unchanged" in done.output.replace("\n", " ")
    assert rows(filled, "SELECT count(*) FROM raw.candle")[0][0] == 308

    refused = CliRunner().invoke(app, ["snapshot", "--instrument", "nobody", "--to", folder])
    assert refused.exit_code == 1


def test_an_instant_of_the_manifest_is_read_back(filled: Settings, folder: str) -> None:
    write_snapshot(filled, folder)
    manifest = Folder(folder).manifest()
    assert manifest is not None
    assert isinstance(manifest.written_at, datetime)
    entry = manifest.entry(APPLE, DAYS)
    assert entry is not None
    assert (entry.candles, entry.calendar) == (4, "XNYS")
    assert [(one.kind, one.value) for one in entry.actions] == [("split", 4.0), ("dividend", 5.0)]
