from __future__ import annotations

from pathlib import Path

import pytest
from supervisor.datatypes import dict_of_key_value_pairs
from supervisor.options import UnhosedConfigParser

from mela.errors import StackFailed
from mela.settings import Settings
from stack.config import configuration
from stack.service import Program, Site


def _read(tmp_path: Path, program: Program) -> UnhosedConfigParser:
    site = Site(Settings(home=tmp_path), {})
    parser = UnhosedConfigParser()
    parser.expansions = {}
    parser.read_string(configuration(site, tmp_path / "supervisor.sock", {"one": program}))
    return parser


def test_a_service_that_dies_is_always_started_again(tmp_path: Path) -> None:
    section = _read(tmp_path, Program(command=("true",)))["program:one"]

    assert section["autorestart"] == "true"
    assert section["autostart"] == "false"
    assert int(section["startretries"]) >= 100_000


@pytest.mark.parametrize("value", ["100%", "a,b", "a=b", '{"json": [1]}', "it's", "p@ss:w/ord?"])
def test_supervisord_reads_a_variable_as_it_was_meant(tmp_path: Path, value: str) -> None:
    parser = _read(tmp_path, Program(command=("true",), environment={"KEY": value}))

    text = parser["program:one"]["environment"].replace("%%", "%")

    assert dict_of_key_value_pairs(text)["KEY"] == value


@pytest.mark.parametrize("value", ["both ' and \"", "two\nlines", "a ;comment", "a #comment"])
def test_a_variable_that_the_configuration_cannot_carry_is_refused(
    tmp_path: Path, value: str
) -> None:
    with pytest.raises(StackFailed, match="KEY holds"):
        _read(tmp_path, Program(command=("true",), environment={"KEY": value}))
