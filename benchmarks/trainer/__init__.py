"""Overhead of the scale trainer: its step beside a bare torch step, in turns on the same rows."""
