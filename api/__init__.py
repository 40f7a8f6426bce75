"""The web application's API: routes over the use cases of `services/`, and the built pages.

Nothing is imported here: clients read `api.models` without the application.
"""
