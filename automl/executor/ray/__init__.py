"""The executor on Ray: the only door to ray."""
