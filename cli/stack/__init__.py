"""Commands of the stack on this machine, its users and its demo."""
