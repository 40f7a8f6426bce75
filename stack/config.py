"""The text of supervisord.conf, as a pure function of the programs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from mela.errors import StackFailed
from stack.service import Program, Site
from stack.sweep import SERVICE

_LOG_BYTES = "20MB"
_LOG_BACKUPS = 3
# supervisord waits a second longer after each failed start and gives up after `startretries`:
# at this number, never. A start counts as good after `startsecs`, and the wait begins anew.
_RETRIES = 1_000_000
_GOOD_START_S = 3


def configuration(site: Site, socket: Path, programs: Mapping[str, Program]) -> str:
    """Return supervisord.conf for these programs. None of them starts automatically."""
    sections: dict[str, Mapping[str, object]] = {
        "unix_http_server": {"file": socket, "chmod": "0700"},
        "supervisord": {
            "logfile": site.log("supervisord"),
            "logfile_maxbytes": _LOG_BYTES,
            "logfile_backups": _LOG_BACKUPS,
            "pidfile": site.home / "run" / "supervisord.pid",
            "childlogdir": site.home / "logs",
            "umask": "077",
            "identifier": "mela",
        },
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
    }
    for name, program in programs.items():
        sections[f"program:{name}"] = _program(site, name, program)
    return "\n".join(_section(name, options) for name, options in sections.items())


def _program(site: Site, name: str, program: Program) -> dict[str, object]:
    return {
        "command": shlex.join(
            (sys.executable, "-m", "stack.launch", name, str(program.niceness), *program.command)
        ),
        "directory": program.directory or site.home,
        "environment": _environment({**program.environment, SERVICE: name}),
        "autostart": "false",
        "autorestart": "true",
        "startsecs": _GOOD_START_S,
        "startretries": _RETRIES,
        "stopsignal": program.stop_signal,
        "stopwaitsecs": program.stop_wait_s,
        "stopasgroup": str(program.stop_group).lower(),
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": site.log(name),
        "stdout_logfile_maxbytes": _LOG_BYTES,
        "stdout_logfile_backups": _LOG_BACKUPS,
    }


def _environment(variables: Mapping[str, str]) -> str:
    return ",".join(f"{key}={_quoted(key, value)}" for key, value in sorted(variables.items()))


def _section(name: str, options: Mapping[str, object]) -> str:
    # An empty option is left out; a % begins an expansion and is therefore doubled.
    lines = [
        f"{key}={str(value).replace('%', '%%')}\n" for key, value in options.items() if value != ""
    ]
    return f"[{name}]\n{''.join(lines)}"


def _quoted(key: str, value: str) -> str:
    quote = "'" if '"' in value else '"'
    if quote in value or "\n" in value or " ;" in value or " #" in value:
        raise StackFailed(
            f"{key} holds both kinds of quotes, a line break, or ` ;` or ` #`, which supervisord's "
            "configuration cannot carry; write its value without them"
        )
    return f"{quote}{value}{quote}"
