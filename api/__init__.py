"""The web application's API: routes over the use cases of `services/`, and the built pages."""

from api.app import create_app

__all__ = ["create_app"]
