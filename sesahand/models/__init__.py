"""Base models and ControlNets: what a family is, its files, and both alignments attached to diffusers."""
