"""Published scenes, their schedules and their publishers."""
