"""`make bench`: Foundling's speed beside that of its peers, by turns, on one core of this machine."""
