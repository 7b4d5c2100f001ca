"""SesaHand: pictures whose hands obey both a sentence and a posed 3D hand."""

__version__ = "0.1.0"
