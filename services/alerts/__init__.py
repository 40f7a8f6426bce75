"""Alerts: who receives them, and their delivery."""
