"""The HTTP interface of Mela: thin, over the use cases in `services`."""
