"""The headless engine: diffusers with both alignments attached."""
