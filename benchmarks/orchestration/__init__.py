"""Benchmarks of placing, following and ending trials."""
