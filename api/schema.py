"""Write the OpenAPI document that clients are generated from: `python -m api.schema`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from api.app import create_app
from mela.settings import REPOSITORY, Settings

PLACE = REPOSITORY / "web" / "openapi.json"


def document() -> str:
    """Return the document as it is written: sorted, so that a change shows as what it is."""
    return json.dumps(create_app(Settings()).openapi(), indent=1, sort_keys=True) + "\n"


def main(place: Path = PLACE) -> int:
    """Write the document."""
    place.write_text(document(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
