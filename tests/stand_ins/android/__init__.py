"""Stands in for python-for-android's own package."""
