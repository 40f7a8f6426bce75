"""Write what the front end is made from: `python -m api.schema`.

It is the OpenAPI document that clients are generated from, and the titles of metrics.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from api.app import create_app
from mela.metrics import METRICS, title
from mela.settings import REPOSITORY, Settings

FOLDER = REPOSITORY / "web"
PLACE = FOLDER / "openapi.json"
TITLES = FOLDER / "src" / "components" / "metricTitles.json"


def document() -> str:
    """Return the document as it is written: sorted, so that a change shows as what it is."""
    return json.dumps(create_app(Settings()).openapi(), indent=1, sort_keys=True) + "\n"


def titles() -> str:
    """Return the titles of metrics by name, as they are written."""
    return json.dumps({name: title(name) for name in METRICS}, indent=2) + "\n"


def main(place: Path = PLACE, titles_place: Path = TITLES) -> int:
    """Write the document and the titles."""
    place.write_text(document(), encoding="utf-8")
    titles_place.write_text(titles(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
