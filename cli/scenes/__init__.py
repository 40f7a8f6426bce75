"""Commands of scenes, their runs and results."""
