"""Labelled data that studies share, and classifiers of it."""
