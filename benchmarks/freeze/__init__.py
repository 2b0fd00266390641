"""Study of how the cloud of dead tokens freezes, and of the instruments that see it."""
