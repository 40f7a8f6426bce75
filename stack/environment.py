"""`$MELA_HOME/stack.env`: the addresses and secrets of the stack on this machine.

They are chosen at the first `up` and kept, so that data and addresses survive `down` and `up`.
Keys of Settings begin with `MELA_`; keys for the stack alone begin with `MELA_STACK_`.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import BaseModel, SecretStr

from mela.settings import Settings
from stack.lock import locked

NAME = "stack.env"
REPLAY = "MELA_REPLAY_URL"
_LOCK_WAIT_S = 10.0


def read(home: Path) -> dict[str, str]:
    """Return the stored values; empty before the first `up`."""
    kept = dotenv_values(home / NAME, interpolate=False, encoding="utf-8")
    return {key: value for key, value in kept.items() if value is not None}


def update(home: Path, changes: Mapping[str, str | None]) -> None:
    """Store `changes` atomically; a value of None removes its key."""
    with locked(home / "run" / "env.lock", _LOCK_WAIT_S):
        before = read(home)
        after = {key: value for key, value in {**before, **changes}.items() if value is not None}
        if after != before:
            _replace(home / NAME, after)


def set_replay(settings: Settings, url: str | None) -> None:
    """Connect all market-data clients to a `mela replay`, or back to the real services (None)."""
    update(settings.home, {REPLAY: url})


def fresh(settings: Settings) -> Settings:
    """Return these settings with the addresses and secrets currently in stack.env."""
    return Settings(home=settings.home, **_told(settings))


def explicit_settings(settings: Settings) -> dict[str, str]:
    """Return, as `MELA_…` variables, the values set explicitly and not stored in stack.env.

    A child process reads the same Settings from these and from stack.env.
    """
    return {
        key: text(value)
        for key, value in _flat(settings).items()
        if key not in _kept_keys(settings) and key != "MELA_HOME" and value is not None
    }


def _told(settings: Settings) -> dict[str, Any]:
    kept = _kept_keys(settings)
    values: dict[str, Any] = {}
    for name in sorted(settings.model_fields_set - {"home"}):
        value = getattr(settings, name)
        if hasattr(value, "model_fields_set"):
            values[name] = {
                part: getattr(value, part)
                for part in sorted(value.model_fields_set)
                if f"MELA_{name}__{part}".upper() not in kept
            }
        elif f"MELA_{name}".upper() not in kept:
            values[name] = value
    return values


def _kept_keys(settings: Settings) -> set[str]:
    # A key removed from stack.env since these settings were read must not survive in them.
    return {*read(settings.home), REPLAY} - (set(os.environ) & {REPLAY})


def _flat(part: BaseModel, prefix: str = "MELA_") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name in sorted(part.model_fields_set):
        key, value = f"{prefix}{name}".upper(), getattr(part, name)
        flat |= _flat(value, f"{key}__") if isinstance(value, BaseModel) else {key: value}
    return flat


def _replace(path: Path, values: Mapping[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["# Written by `mela up`: addresses and secrets of this machine's stack.\n"]
    lines += [f"{key}={_quoted(value)}\n" for key, value in sorted(values.items())]
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:  # mkstemp made it 0600
        handle.writelines(lines)
        handle.flush()
        os.fsync(handle.fileno())
    Path(temporary).replace(path)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def text(value: object) -> str:
    """Return a setting in stack.env's format: secrets in plain text, several values as JSON."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value) if isinstance(value, dict | list | tuple) else str(value)
