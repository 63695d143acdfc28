"""Benchmarks of the samplers and stopping rules."""
