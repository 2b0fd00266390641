"""Protocol of the talking knowledge base: a generated world, sets of sentences, acceptance bars."""
