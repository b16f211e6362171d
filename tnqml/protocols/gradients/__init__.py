"""Derivatives of a model between its parties, and training by them."""
