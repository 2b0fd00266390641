"""Rewordings of taught inputs: which of them a text asks for, by an encoder or by its words."""
