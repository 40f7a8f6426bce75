"""The websockets of the replayed services: candles as the clock passes their close."""
