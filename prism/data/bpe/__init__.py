"""Byte pair encodings: trained over bytes or over characters, or cut from a larger one."""
