"""Measurements of the knowledge base."""
