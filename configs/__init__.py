"""Built-in configurations, found by name: ``boxgp run demo``."""
