"""`python -m tests.fuzz TARGET [libFuzzer's options]`: look for input that a parser does not stand.

An input that raises anything but the parser's own refusal ends the fuzzer, and lies then in a file
`crash-…`: mend the parser, and keep the input in tests/fuzz/corpus/TARGET as a case.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

CORPUS = Path(__file__).with_name("corpus")
ROOMS = [
    "mela",
    "sources.files",
    "streaming.record",
    "streaming.scene_document",
    "messaging",
]

with atheris.instrument_imports(include=ROOMS):
    import yaml

    from backtests.strategies import CATALOGUE
    from mela.errors import MelaError, MessageInvalid, SceneInvalid
    from mela.fields import Instant
    from mela.grid import plan_runs
    from mela.interval import Interval
    from mela.messages import SCENES, MessagePosition, read_chunk
    from mela.scene import parse_scene, scene_faults
    from mela.yaml_text import read_yaml
    from messaging.codec import decode_progress, decode_rejected
    from messaging.columns import from_arrow
    from sources.files.read import read_file
    from streaming import scene_document

from pydantic import TypeAdapter, ValidationError  # noqa: E402

SOURCE = MessagePosition(SCENES, 0, 0)
INSTANT: TypeAdapter[object] = TypeAdapter(Instant)
FILES = Path(tempfile.mkdtemp(prefix="mela-fuzz-"))


def scene(raw: bytes) -> None:
    """Read a scene as the planner does, up to its runs."""
    with suppress(SceneInvalid):
        document = scene_document.read_document(raw, 2**20)
        scene_document.read_id(document, SOURCE)
        scene_document.refuse_nul(document)
        plan_runs(parse_scene(document), CATALOGUE, max_runs=100)


def chunk(raw: bytes) -> None:
    """Read a chunk of runs."""
    with suppress(MessageInvalid):
        read_chunk(raw, CATALOGUE)


def results(raw: bytes) -> None:
    """Read results as columns."""
    with suppress(MessageInvalid):
        from_arrow(raw)


def progress(raw: bytes) -> None:
    """Read a progress, and a letter."""
    for read in (decode_progress, decode_rejected):
        with suppress(MessageInvalid):
            read(raw)


def scene_text(raw: bytes) -> None:
    """Read a scene's YAML as people write it, and find all its faults."""
    with suppress(yaml.YAMLError):
        for fault in scene_faults(read_yaml(raw.decode(errors="replace"))):
            assert fault.sentence


def candle_file(raw: bytes) -> None:
    """Read a candle file; its first byte chooses how it is called."""
    endings = ("csv", "json", "csv.gz", "zip", "parquet", "feather", "txt")
    path = FILES / f"binance_BTCUSDT_1h.{endings[raw[0] % len(endings)] if raw else 'csv'}"
    path.write_bytes(raw[1:])
    with suppress(MelaError):
        read_file(path, None, None)


def instant(raw: bytes) -> None:
    """Read an instant, and an interval."""
    text = raw.decode(errors="replace")
    with suppress(ValidationError):
        INSTANT.validate_python(text)
    with suppress(ValueError):
        Interval(text)


TARGETS: dict[str, Callable[[bytes], None]] = {
    one.__name__: one for one in (scene, chunk, results, progress, scene_text, candle_file, instant)
}


def main() -> None:
    """Fuzz a target, or all in turn, until an input fails or libFuzzer's options say enough."""
    names = list(TARGETS) if sys.argv[1:2] == ["all"] else sys.argv[1:2]
    if not names or not TARGETS.keys() >= set(names):
        sys.exit(f"usage: python -m tests.fuzz all|{'|'.join(TARGETS)} [-runs=1000 -seed=1 …]")
    for name in names:
        child = os.fork()  # libFuzzer ends its process, and takes one target
        if child == 0:
            fuzz(name, sys.argv[2:])
        if code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            sys.exit(f"the target {name} failed ({code}): the input is in a file `crash-…`")


def fuzz(name: str, options: list[str]) -> None:
    """Fuzz a target with its corpus; does not return."""
    print(f"== {name}", flush=True)
    found = tempfile.mkdtemp(prefix="mela-corpus-")  # new inputs go there; ours are only read
    folders = [found, *(str(one) for one in [CORPUS / name] if one.is_dir())]
    atheris.Setup([sys.argv[0], *options, *folders], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
