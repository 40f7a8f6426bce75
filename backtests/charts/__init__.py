"""Pictures of outcomes: candles and outcomes in, HTML text or PNG bytes out. No I/O.

`view` and `surface` say what is drawn, thinned so that it can be drawn; `html` (Plotly) and `png`
(matplotlib) draw it; `picture` puts a scene's together. Loaded only by who draws.
"""
