"""Tests of depth_net.actions."""
