"""Text keys: trigram index and the resolver that maps a misspelt key to a stored one."""
