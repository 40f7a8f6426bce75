"""MLflow: a client, the addresses of its pages, and the removal of old runs."""
