"""`mela compare`: run the golden scenes with two commits, find what moved, and write a report.

`commits`, `environments`, `golden` and `sides` do the I/O; `worker` runs inside each side.
`evidence`, `differences`, `decision`, `speed`, `picture`, `cells` and `markdown` compute without
I/O.
"""
