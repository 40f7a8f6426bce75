"""The memory of a recursive mean's beginning, in candles per candle of its period.

After so many at most e^-20, two in a billion, of the difference that another beginning makes is
left: an exponential mean loses a share of 2 / (period + 1) with each candle, Wilder's 1 / period.
"""

EMA = 10
EMA_OF_EMA = 20
WILDER = 20
WILDER_OF_WILDER = 25
