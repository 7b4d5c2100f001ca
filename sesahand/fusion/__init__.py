"""Hierarchical fusion of a ControlNet's self-attention maps."""
