"""The model that comes with the package: trained, compared, exported, and its card."""
