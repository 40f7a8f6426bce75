"""The requests and answers of the API, one file for each group of routes."""
