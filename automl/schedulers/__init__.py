"""Schedulers: whether a running trial continues."""
