"""The rules of execution: compiled functions over one explicit account state. Pure: no I/O."""
