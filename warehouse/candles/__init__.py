"""Read candles from Postgres, from the local cache or from a snapshot."""
