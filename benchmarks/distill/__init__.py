"""Measurements of prism.distill: size and error of codecs and columns, leak test, speed."""
