"""Retention: thin old results, restore them, and pin scenes."""
