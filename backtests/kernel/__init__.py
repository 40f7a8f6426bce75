"""The walks over the candles: orders, fills, exits and equity (docs/execution.md).

Compiled by Numba, without fastmath on any sum or product: the order of every operation is part of
the result. `events` jumps from signal to signal and serves the plain rules, `bars` goes candle by
candle and knows all of them; on the plain ones both give the same bits, which a law tests.
"""
