"""Measuring models, the same requests and noise in cells that differ in one thing; and reconstructors, in `hands`."""
