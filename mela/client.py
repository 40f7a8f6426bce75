"""`from mela.client import Client`: the client, where people look for it (docs/client.md).

It is written in the room `client`, above the rooms that it works with; nothing of Mela imports this
module (docs/decisions/0035-client.md).
"""

from client import Client, Picture, SceneGiven, SceneResult

__all__ = ["Client", "Picture", "SceneGiven", "SceneResult"]
