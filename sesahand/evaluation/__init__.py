"""Measuring models: the same requests and noise in cells that differ in one thing, and tables of the results."""
