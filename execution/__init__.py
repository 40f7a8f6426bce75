"""The rules of execution: compiled functions over one explicit account state. Pure: no I/O.

Importing this room chooses where Numba keeps compiled code (docs/decisions/0016-execution.md).
"""

from execution.compiled import keep_apart

keep_apart()  # before any rule or kernel is declared
