"""SLURM: job scripts, the queue, and what was submitted for a run."""
