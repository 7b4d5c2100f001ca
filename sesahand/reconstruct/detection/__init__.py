"""Hands in pictures, found by networks or named by others: 21 landmarks each."""
