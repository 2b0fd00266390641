"""Training methods: growth stages, modular phases, token weights."""
