"""Kinds of models: one small file each, with a pydantic model of its parameters."""
