"""The demo: the main job from end to end, on servers inside this very process."""
