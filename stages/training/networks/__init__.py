"""Networks that can be trained; each keeps the interface of ``stages.training.network``."""
