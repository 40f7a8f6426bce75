"""Use cases, each in a module of its own: what the command line, Airflow and an API all offer.

A use case takes Settings and plain values, answers with typed values, and raises MelaError. It
knows no terminal and no HTTP: it prints nothing, ends no process, and colours nothing.
"""
