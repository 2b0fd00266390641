"""Study of facts bound to a frozen language model: tables, sentences, protocol, controls."""
