"""Accounts of the web application: who signs in, what they may do, and what they did."""
