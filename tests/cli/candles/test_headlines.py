"""cli/candles/headlines.py: the news as a user asks for them, offline."""

import json

import pytest
from typer.testing import CliRunner

from cli.main import app
from replay import create_server

SPAN = ("--from", "2020-08-01", "--to", "2020-09-10")


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.setenv("MELA_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "120")
    with create_server() as server:
        monkeypatch.setenv("MELA_REPLAY_URL", server.url)
        yield lambda *words: CliRunner().invoke(app, ["headlines", *words])


def test_headlines_are_printed_by_the_time_of_their_text(run) -> None:
    done = run("AAPL", "BTC/USD", *SPAN)
    assert done.exit_code == 0
    lines = [line.split("  ") for line in done.stdout.splitlines()]
    assert [line[0] for line in lines[1:]] == ["2020-08-07 13:00", "2020-08-31 13:00"]
    assert "AAPL splits 4 for 1" in done.stdout


def test_a_script_reads_one_array(run) -> None:
    told = json.loads(run("AAPL", *SPAN, "--json").stdout)
    assert [each["published_at"] for each in told] == [
        "2020-08-07T12:00:00+00:00",
        "2020-08-31T12:00:00+00:00",
    ]
    assert told[1]["symbols"] == ["AAPL"]


def test_what_is_wrong_is_one_sentence(run, monkeypatch) -> None:
    backwards = run("AAPL", "--from", "2020-09-10", "--to", "2020-08-01")
    assert backwards.exit_code == 1
    monkeypatch.delenv("MELA_REPLAY_URL")
    without_keys = run("AAPL", *SPAN)
    assert without_keys.exit_code == 1
    assert not isinstance(without_keys.exception, Exception)
