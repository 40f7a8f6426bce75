"""What the workflow calls, against a server that answers as GitHub's API does.

CML itself comes from no registry. Where `cml` is on PATH it is driven; elsewhere a stand-in that
keeps to its documented contract is: `cml comment update` writes one comment, and finds it again by
its hidden watermark. Which of the two it was is said in the test's output.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mela.settings import REPOSITORY

SCRIPT = REPOSITORY / ".ci" / "report"
WORKFLOW = REPOSITORY / ".github" / "workflows" / "cml.yml"
CML = shutil.which("cml")
STAND_IN = '''#!{python}
"""A stand-in for CML: `cml comment update --target=pr/N --watermark-title=T --publish FILE`."""
import argparse, json, os, re, ssl, sys, urllib.request
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("words", nargs=2)
parser.add_argument("file")
parser.add_argument("--target", required=True)
parser.add_argument("--watermark-title", required=True)
parser.add_argument("--publish", action="store_true", required=True)
told = parser.parse_intermixed_args()
assert told.words == ["comment", "update"], told.words
unchecked = ssl._create_unverified_context()


def ask(url, body=None, method="GET", kind="application/json"):
    headers = {{"Authorization": "token " + os.environ["REPO_TOKEN"], "Content-Type": kind}}
    request = urllib.request.Request(url, body, headers, method=method)
    with urllib.request.urlopen(request, context=unchecked) as answer:
        return answer.read()


site, repository = re.fullmatch("(https://[^/]+)/(.+)", os.environ["CML_REPO"]).groups()
issues = f"{{site}}/api/v3/repos/{{repository}}/issues"
report = Path(told.file).read_text(encoding="utf-8")


def publish(match):
    picture = Path(told.file).resolve().parent / match[2]
    if not picture.is_file():
        sys.exit(f"no picture {{picture}}")
    url = ask(os.environ["CML_COMMENT_PUBLISH_URL"], picture.read_bytes(), "POST", "image/png")
    return f"![{{match[1]}}]({{url.decode()}})"


report = re.sub(r"!\\[(.*)\\]\\((.*)\\)", publish, report)
mark = f"![CML watermark {{told.watermark_title}}]()"
body = json.dumps({{"body": report + mark}}).encode()
number = told.target.removeprefix("pr/")
known = json.loads(ask(f"{{issues}}/{{number}}/comments"))
mine = [one for one in known if mark in one["body"]]
if mine:
    ask(f"{{issues}}/comments/{{mine[-1]['id']}}", body, "PATCH")
else:
    ask(f"{{issues}}/{{number}}/comments", body, "POST")
'''


class GitHub(BaseHTTPRequestHandler):
    """Comments of one pull request, and a place for pictures."""

    comments: list[dict[str, Any]]
    pictures: list[bytes]
    asked: list[tuple[str, str]]

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _serve(self) -> None:
        given = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        self.asked.append((self.command, path))
        if path == "/pictures":
            self.pictures.append(given)
            address = f"https://{self.headers['Host']}/pictures/{len(self.pictures)}"
            return self._answer(200, address.encode())
        if self.headers["Authorization"] != "token secret":
            return self._answer(401, b"{}")
        issue = re.fullmatch(r"/api/v3/repos/o/r/issues/7/comments", path)
        one = re.fullmatch(r"/api/v3/repos/o/r/issues/comments/(\d+)", path)
        if issue and self.command == "POST":
            made = {"id": len(self.comments) + 1, "html_url": "u", **json.loads(given)}
            self.comments.append(made)
            return self._answer(201, json.dumps(made).encode())
        if issue:
            return self._answer(200, json.dumps(self.comments).encode())
        if one and self.command == "PATCH":
            self.comments[int(one[1]) - 1] |= json.loads(given)
            return self._answer(200, json.dumps(self.comments[int(one[1]) - 1]).encode())
        return self._answer(404, b"{}")

    do_GET = do_POST = do_PATCH = _serve  # noqa: N815  the names that the server looks for

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(secret + signed.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def github(tmp_path: Path) -> Iterator[tuple[type[GitHub], dict[str, str]]]:
    """The server's memory, and the environment in which the workflow's step would run."""

    class Handler(GitHub):
        comments: list[dict[str, Any]] = []  # noqa: RUF012  each test has its own class
        pictures: list[bytes] = []  # noqa: RUF012
        asked: list[tuple[str, str]] = []  # noqa: RUF012

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = certificate(tmp_path)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    tools = tmp_path / "tools"
    tools.mkdir()
    if CML is None:
        stand_in = tools / "cml"
        stand_in.write_text(STAND_IN.format(python=sys.executable), encoding="utf-8")
        stand_in.chmod(0o755)
    site = f"https://localhost:{server.server_port}"
    told = {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "CML_REPO": f"{site}/o/r",
        "CML_DRIVER": "github",
        "CML_COMMENT_PUBLISH_URL": f"{site}/pictures",
        "NODE_EXTRA_CA_CERTS": str(pem),
        "GITHUB_REPOSITORY": "o/r",
        "REPO_TOKEN": "secret",
        "PULL_REQUEST": "7",
        "MAY_COMMENT": "true",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    yield Handler, told
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def written(tmp_path: Path) -> Path:
    folder = tmp_path / "comparison"
    folder.mkdir()
    (folder / "report.md").write_text("**Passes**: one.\n\n![curve](curve.png)\n", encoding="utf-8")
    (folder / "curve.png").write_bytes(b"\x89PNG one")
    return folder


def run(folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPT), str(folder)], env=env, capture_output=True, text=True, check=False
    )


def test_one_comment_of_a_pull_request_is_written_once_and_then_updated(
    github: tuple[type[GitHub], dict[str, str]], written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served, env = github
    with capsys.disabled():
        print(f"\n  driven: {CML or 'a stand-in, as no cml is on PATH'}")  # noqa: T201

    for words in ("one", "another"):
        (written / "report.md").write_text(f"**Passes**: {words}.\n\n![curve](curve.png)\n")
        done = run(written, env)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    [comment] = served.comments
    assert comment["body"].startswith("**Passes**: another.")
    assert "](curve.png)" not in comment["body"]
    assert "mela compare" in comment["body"]
    assert served.pictures == [b"\x89PNG one"] * 2
    wrote = [command for command, path in served.asked if command != "GET" and "issues" in path]
    assert wrote == ["POST", "PATCH"]
    assert "**Passes**: one." in Path(env["GITHUB_STEP_SUMMARY"]).read_text()


def test_a_token_that_only_reads_leaves_the_report_on_the_summary(
    github: tuple[type[GitHub], dict[str, str]], written: Path
) -> None:
    served, env = github
    done = run(written, {**env, "MAY_COMMENT": "false"})
    assert done.returncode == 0, done.stderr
    assert Path(env["GITHUB_STEP_SUMMARY"]).read_text() == (written / "report.md").read_text()
    assert served.asked == []


def test_no_report_and_a_comment_that_is_refused_fail_the_step(
    github: tuple[type[GitHub], dict[str, str]], written: Path
) -> None:
    served, env = github
    assert run(written, {**env, "REPO_TOKEN": "wrong"}).returncode != 0
    assert served.comments == []
    (written / "report.md").unlink()
    done = run(written, env)
    assert done.returncode == 1
    assert "the step that compares failed before it wrote one" in done.stderr


def test_the_workflow_asks_for_little_and_fails_after_it_has_commented() -> None:
    text = WORKFLOW.read_text(encoding="utf-8")
    flow = yaml.safe_load(text)
    assert flow[True] == "pull_request"  # YAML reads `on` as a truth value
    assert flow["permissions"] == {}
    assert flow["concurrency"]["cancel-in-progress"] is True
    job = flow["jobs"]["compare"]
    assert job["permissions"] == {"contents": "read", "pull-requests": "write"}
    steps = job["steps"]
    for step in steps:
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])
    assert len(re.findall(r"uses: \S+@[0-9a-f]{40} # v\d", text)) == sum("uses" in s for s in steps)
    [compared] = [step for step in steps if "mela compare" in step.get("run", "")]
    assert compared.keys() == {"name", "run"}  # what fails it fails the job
    assert compared["run"] == ".venv/bin/mela compare HEAD^1 HEAD --out comparison"
    last = steps[-1]
    assert last["run"] == f"{SCRIPT.relative_to(REPOSITORY)} comparison"
    assert last["if"] == "${{ !cancelled() }}"
    assert "secrets." not in text
    assert [step for step in steps if "REPO_TOKEN" in step.get("env", {})] == [last]
    assert SCRIPT.stat().st_mode & 0o111
