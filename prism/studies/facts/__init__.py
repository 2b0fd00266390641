"""How well facts that were bound to a language model come out of it: data, protocol, controls."""
