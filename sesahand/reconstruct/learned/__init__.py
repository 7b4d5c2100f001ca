"""HaMeR and WiLoR, read from their authors' checkpoints."""
