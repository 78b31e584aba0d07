"""Does the maximum exist, is it the maximum, is it identified."""
