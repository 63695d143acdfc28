"""Searchers: propose assignments and learn from results."""
