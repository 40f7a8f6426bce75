"""The warehouse: tables, migrations, loads, candle reads, stored results. All SQL of Python."""
