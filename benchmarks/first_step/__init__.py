"""The first gradient of a fresh model, and what taming it did to training."""
