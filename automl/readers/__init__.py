"""Measurements: what trainers report, read from their files as they grow."""
