"""Engines: Gaussian Processes, and a linear classifier, that tell the two owners of a pair apart."""
