"""What is kept: thin old results, restore them, and pin scenes."""
