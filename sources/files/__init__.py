"""Read the candle files that people have: a file in, checked candles and what was done to them out.

`read.read_file` is the way in. `formats` opens a file, `columns` finds its fields, `times` and
`numbers` read text, `days` and `spacing` check the candles against the requested interval.
"""
