"""From posed hands to condition maps."""
