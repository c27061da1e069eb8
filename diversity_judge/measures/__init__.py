"""Every formula: arrays in, estimates out, no files and no console."""
