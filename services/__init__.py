"""Use cases that the command line, Airflow and later the API share. No terminal in here."""
