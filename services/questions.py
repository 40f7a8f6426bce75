"""Ask the star a ready question."""

from __future__ import annotations

from collections.abc import Mapping

from mela.errors import InputInvalid
from mela.settings import Settings
from warehouse.database import transaction
from warehouse.questions import Answer, Question, ask, questions


def list_questions() -> list[Question]:
    """Return the ready questions by name."""
    return list(questions().values())


def ask_question(name: str, values: Mapping[str, str], settings: Settings) -> Answer:
    """Return the answer to a ready question.

    values: of its parameters; those left out keep their defaults
    Raises InputInvalid for an unknown question or parameter, MelaError if the star is not built.
    """
    with transaction(settings) as connection:
        try:
            return ask(connection, name, values)
        except ValueError as error:
            raise InputInvalid("name", str(error)) from error
