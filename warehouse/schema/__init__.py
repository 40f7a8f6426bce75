"""Tables, migrations and partitions."""
