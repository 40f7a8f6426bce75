"""The error of a comparison that found nothing out."""

from __future__ import annotations

from mela.errors import MelaError


class NotCompared(MelaError):
    """Two commits could not be compared: name others, or mend what one of them lacks."""
