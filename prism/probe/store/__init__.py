"""Log of a matrix: numbers as integers, movements as bytes, the file, the recorder."""
