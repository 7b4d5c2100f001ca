"""Behaviour semantics: what a person does, extracted from a caption and composed into a prompt."""
