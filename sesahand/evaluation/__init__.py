"""Measure what a model draws: the same requests and noise in cells that differ in one thing, read by a judge."""
