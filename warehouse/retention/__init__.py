"""What is removed from old scenes, what stays of it, and how readers are told."""
