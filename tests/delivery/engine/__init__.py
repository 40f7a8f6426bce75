"""docs/containers.md, executed on a container engine. `make containers` runs it."""
