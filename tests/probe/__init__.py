"""Tests of prism.probe."""
