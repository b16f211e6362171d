"""Estimates of what a model says: sampled, by amplitude estimation, and by classical messages."""
