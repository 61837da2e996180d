"""How work runs: configuration, planning, executors and stores. Knows no points and no Gaussian Processes."""
