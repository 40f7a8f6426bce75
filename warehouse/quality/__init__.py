"""Candle quality: what is wrong, in tables, and gaps repaired by asking again, never silently."""

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
