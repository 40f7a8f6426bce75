"""Mela from a program or a notebook: over the API of a platform, or in this process."""

from client.client import Client
from client.documents import SceneGiven
from client.results import Picture, SceneResult

__all__ = ["Client", "Picture", "SceneGiven", "SceneResult"]
