"""The page on a log, its figures and its film."""
