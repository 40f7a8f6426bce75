"""Alpaca's trading API over the replayed candles: accounts, orders and their fills."""
