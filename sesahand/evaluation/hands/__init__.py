"""Measuring reconstructors: hands that were predicted against true ones, whatever files both are in."""
