"""The simulated Microsoft: its identity platform (v2.0) and as much of Graph as says who somebody is."""
