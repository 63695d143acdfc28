"""Data: annotation files, readers, transforms, data sets and the demo data."""
