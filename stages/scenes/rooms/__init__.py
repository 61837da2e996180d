"""Built-in furnished rooms: procedural geometry seen by a simulated scanner, with exact ground truth and no files."""
