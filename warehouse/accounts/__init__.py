"""The application's own tables: accounts, sessions, tokens, and who did what."""
