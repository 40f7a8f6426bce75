"""Find strategies in files and installed packages, and load them."""
