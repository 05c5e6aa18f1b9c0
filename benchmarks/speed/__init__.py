"""`make bench`: Foundling's speed compared with its peers', by turns, on one core of this machine."""
