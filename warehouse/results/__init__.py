"""Stored results: save, find, check validity, trace lineage."""
