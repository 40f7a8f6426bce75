"""The strategies that scenes can name: every module of this package registers its own.

Importing it loads these. `refresh` adds those of installed packages (entry points of the group
`mela.strategies`), and loads what was edited since.
"""

from backtests.catalogue.loading import SHELF, refresh
from backtests.strategy import CATALOGUE

__all__ = ["CATALOGUE", "refresh"]

SHELF.refresh(packages=False)
