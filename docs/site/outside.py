"""Bring pages of the repository's root to the site, and turn links between them and docs/."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "README.md": "index.md",  # which says the same
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}


def on_files(files: Files, *, config: MkDocsConfig, **_: Any) -> Files:
    """Add the pages of the root, for MkDocs."""
    for name, page in PAGES.items():
        if files.get_file_from_path(page):
            continue
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=into_docs(text)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Return a page of docs/ whose links to the root stay on the site, for MkDocs."""
    up = "../" * (page.file.src_uri.count("/") + 1)
    for name, here in PAGES.items():
        markdown = markdown.replace(f"]({up}{name}", f"]({up.removesuffix('../')}{here}")
    return markdown


def into_docs(markdown: str) -> str:
    """Return a page of the root with its links as they are from docs/.

    >>> into_docs("[one](docs/strategies.md), [two](CHANGELOG.md#unreleased)")
    '[one](strategies.md), [two](changelog.md#unreleased)'
    """
    for name, here in PAGES.items():
        markdown = markdown.replace(f"]({name}", f"]({here}")
    return re.sub(r"\]\(docs/", "](", markdown)
