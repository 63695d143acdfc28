"""Preflight: checks that run before anything is spent."""
