"""Hand tokens of a prompt, and the bias that makes cross-attention heed them."""
