"""Features of the price alone: returns."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from forecasts.features.definition import Float, Reading, feature
from mela.fields import Part, Whole


class Span(Part):
    """How far a feature looks back."""

    span: Whole = Field(default=1, ge=1, le=4096, description="candles looked back")


@feature(Span, window=lambda params: params.span)
def returns(reading: Reading, params: Span) -> Float:
    """Logarithm of the close over the one `span` candles before."""
    close = reading.candles.close
    found = np.full(len(close), np.nan)
    found[params.span :] = np.log(close[params.span :] / close[: -params.span])
    return found
