"""Labels for publication."""
