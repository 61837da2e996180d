"""Region features: what the Gaussian Processes compare."""
