"""What `mela compare` is made of: two commits, their golden scenes, what moved, and the report.

`commits`, `environments`, `golden` and `sides` do the work outside; `worker` is what each side
executes. `evidence`, `differences`, `decision`, `speed`, `picture`, `cells` and
`markdown` compute, and do no I/O.
"""
