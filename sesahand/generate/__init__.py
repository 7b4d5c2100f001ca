"""Generation with diffusers, with both alignments."""
