"""The deeds: each decides with core, and carries out with the pillars."""
