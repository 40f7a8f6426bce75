"""What the API takes and answers, in its own words: one file for each group of routes."""
