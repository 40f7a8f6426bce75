"""Mela for assistants: a server of the Model Context Protocol over the client."""
