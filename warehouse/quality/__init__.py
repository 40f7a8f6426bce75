"""Candle quality: record defects, and repair gaps by loading candles, never by invention."""

from warehouse.quality.check import QualityReport, check_quality
from warehouse.quality.findings import Check, Finding, findings
from warehouse.quality.repair import RepairReport, Request, repair_gaps

__all__ = [
    "Check",
    "Finding",
    "QualityReport",
    "RepairReport",
    "Request",
    "check_quality",
    "findings",
    "repair_gaps",
]
