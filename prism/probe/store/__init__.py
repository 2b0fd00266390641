"""The log of a matrix: its numbers as integers, their movements as bytes, the file, the recorder."""
