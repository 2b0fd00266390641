"""Capacity and speed of a HoloTape by itself, without a model: accuracy over load against theory,
joint decoders, a million facts, refusal and calibration, keys with typos, exact forgetting.
"""
