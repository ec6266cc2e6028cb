"""Figures: each function takes arrays or plain values and returns a Figure, which the stage saves."""
