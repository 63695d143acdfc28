"""Launchers: start a command as a process tree that can be killed whole."""
